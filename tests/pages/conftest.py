"""Pages in the browser of all tests."""

import pytest

UNNAMED = """[...document.querySelectorAll('[role=img]')]
  .filter(e => e.checkVisibility() && !e.getAttribute('aria-label')).length"""


@pytest.fixture
def show(browser, tmp_path):
    """Shows a fragment; no picture lacks a name, no script has failed and nothing was fetched."""
    browser.errors.clear(), browser.requested.clear()

    def shown(page, **how):
        browser.show(tmp_path / "page.html", page, **how)
        assert browser.run(UNNAMED) == 0
        return browser

    yield shown
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert browser.run(UNNAMED) == 0
    assert browser.errors == []
    # The bare pages have no icon of their own, for which a browser may ask.
    assert not [url for url in browser.requested if not url.startswith(("file:", "data:", "blob:"))]
