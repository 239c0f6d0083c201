"""The review page's form, filled in and sent as a browser without JavaScript does."""

from tests.factories import load_approval
from tests.ui.html_forms import Page, as_sent

APPROVE = ("verdict", "approve")


def at(approval, action=""):
    return f"/approvals/{approval.id}{action}"


def fields_of(page, approval):
    return page.form(at(approval, "/decision")).fields


def send(browser, page, approval, action, button=None, **typed):
    """The answer when the decision's form is sent by a button that leads elsewhere, or is not drawn as one."""
    assert button is None or button[0] not in fields_of(page, approval)  # no field may come twice
    fields = fields_of(page, approval) | typed | dict([button] if button else [])
    return browser.post(
        at(approval, action), as_sent({name: text for name, text in fields.items() if text is not None})
    )


def approved(browser, gateway, page, approval, **typed):
    response = send(browser, page, approval, "/decision", APPROVE, **typed)
    assert response.status_code == 303, Page(response.text).text
    return load_approval(gateway, approval.id).modified_details
