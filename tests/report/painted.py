"""What a test asks of a page in a browser: is it drawn, and how much of each figure is painted."""

READY = "() => window.Bokeh && Bokeh.documents.length === 1 && Bokeh.documents[0].is_idle"
# Every figure's canvases, in shadow roots and out: how many are there, and how much is painted.
PAINTED = """
key => {
  const found = []
  const walk = node => {
    for (const child of node.children ?? []) {
      if (child.tagName === "CANVAS") found.push(child)
      if (child.shadowRoot) walk(child.shadowRoot)
      walk(child)
    }
  }
  const section = document.querySelector(`section[aria-labelledby="${key}"]`)
  return [...section.querySelectorAll("[data-root-id]")].map(root => {
    found.length = 0
    walk(root)
    let painted = 0
    for (const canvas of found) {
      const box = canvas.getBoundingClientRect()
      if (box.width < 100 || box.height < 50) continue
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
      for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 0) painted += 1
    }
    return painted
  })
}
"""
