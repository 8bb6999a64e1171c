"""One simulated night, studied once a worker, and a way to find a figure's data by name."""

import pytest

from figures import edge_results


@pytest.fixture(scope="session")
def night():
    return edge_results.whole_night()


@pytest.fixture(params=sorted(edge_results.EDGES))
def edge(request):
    return edge_results.EDGES[request.param]()


@pytest.fixture
def data():
    """The columns of the source of that name, from the marks or the words of a figure."""

    def find(fig, name):
        holders = [*fig.renderers, *(m for m in fig.center if hasattr(m, "source"))]
        for holder in holders:
            source = getattr(holder, "data_source", None) or holder.source
            if source.name == name:
                return source.data
        raise AssertionError(f"no source {name!r}")

    return find
