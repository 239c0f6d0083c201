"""A person's own settings as a page."""

from gateway.usecases import own_account
from tests.ui.html_forms import Page

TOKENS = "/settings/tokens"


def test_page_that_shows_a_token_makes_no_other_when_it_is_loaded_again(reviewer, gateway):
    page = reviewer.open("/settings")
    first = reviewer.press(page, TOKENS)
    assert "cs_pat_" in Page(first.text).text

    again = reviewer.press(page, TOKENS)

    assert again.status_code == 422
    assert "made already" in Page(again.text).text
    assert "cs_pat_" not in Page(again.text).text
    assert len(own_account.read_account(gateway, reviewer.person, None).tokens) == 1
    reviewer.press(Page(again.text), TOKENS)
    assert len(own_account.read_account(gateway, reviewer.person, None).tokens) == 2
