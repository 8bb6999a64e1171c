"""Grounds, axes, titles and legends of every figure, light or dark."""

from __future__ import annotations

from bokeh.themes import Theme

__all__ = ["INK", "SANS", "theme"]

INK = "#767676"  # zero lines and words: contrast above 4 on white and on near-black
SANS = "system-ui, sans-serif"
TEXT = "11px"


def theme(*, dark: bool = False) -> Theme:
    """Grounds, axes, titles and legends, light or dark; for ``components`` or ``curdoc``."""
    ink, soft, ground = ("#e6e6e6", "#3a4048", "#14181d") if dark else ("#222222", "#e4e6e8", None)
    words = {"text_font": SANS, "text_color": ink}
    return Theme(
        json={
            "attrs": {
                "Plot": {
                    "background_fill_color": ground,
                    "border_fill_color": ground,
                    "outline_line_color": None,
                },
                "Grid": {"grid_line_color": soft},
                "Axis": {
                    "axis_line_color": INK,
                    "major_tick_line_color": INK,
                    "minor_tick_line_color": None,
                    "major_label_text_color": ink,
                    "major_label_text_font": SANS,
                    "major_label_text_font_size": TEXT,
                    "axis_label_text_color": ink,
                    "axis_label_text_font": SANS,
                    "axis_label_text_font_size": TEXT,
                    "axis_label_text_font_style": "normal",
                },
                "Title": {**words, "text_font_size": "13px", "text_font_style": "bold"},
                "Legend": {
                    "label_text_font": SANS,
                    "label_text_color": ink,
                    "label_text_font_size": TEXT,
                    "background_fill_alpha": 0.0,
                    "border_line_color": None,
                },
                "Label": {"text_font": SANS},
                "LabelSet": {
                    "background_fill_color": ground or "#ffffff",
                    "background_fill_alpha": 0.8,
                },
                "ColorBar": {
                    "title_text_color": ink,
                    "title_text_font": SANS,
                    "title_text_font_size": TEXT,
                    "major_label_text_color": ink,
                    "major_label_text_font": SANS,
                },
            }
        }
    )
