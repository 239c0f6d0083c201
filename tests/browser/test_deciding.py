"""Deciding in a real browser: every button, what follows it, and what it must not do."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import delete

from gateway.domain.approval import Reject
from gateway.domain.arguments import sha256_hex
from gateway.store.tables import SignIn
from tests.browser.desk import Desk
from tests.browser.shop import details, fill, refund
from tests.factories import (
    ago,
    ask,
    call,
    change_approval,
    decide,
    load_approval,
    load_decisions,
    make_person,
    tool_results,
)


def open_call(desk: Desk, approval) -> Page:
    page = desk.open(f"/approvals/{approval.id}")
    expect(page.locator("#live")).to_have_attribute("data-live", "on")
    return page


def status(desk: Desk, approval) -> str:
    return load_approval(desk.gateway, approval.id).status


def tags(desk: Desk, count: int):
    return ask(desk.gateway, *(call("tag_order", details(order_id=f"118-{n}", tag="vip")) for n in range(count)))


def test_approval_opens_the_next_call_and_can_be_undone_from_the_toast(desk: Desk) -> None:
    first, second, _ = tags(desk, 3)
    page = open_call(desk, first)

    page.locator("[data-approve]").click()

    expect(page.locator("h1")).to_have_text("Tag order 118-1 as vip")
    expect(page.locator("h1")).to_be_focused()
    toast = page.locator("[data-toast]")
    expect(toast).to_contain_text(re.compile(r"Approved: Tag order 118-0 as vip\. It is released in \d+ s"))
    expect(page.locator("#announcer")).to_contain_text("Approved: Tag order 118-0 as vip")
    assert status(desk, first) == "approved"
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator("h1")).to_have_text("Tag order 118-0 as vip")
    expect(page.locator(".review-head .chip")).to_have_text("Pending")
    assert (status(desk, first), status(desk, second)) == ("pending", "pending")


def test_toast_goes_when_there_is_nothing_to_undo_any_more(desk: Desk) -> None:
    first, _ = tags(desk, 2)
    page = open_call(desk, first)
    page.locator("[data-approve]").click()
    toast = page.locator("[data-toast] [data-left]")
    toast.wait_for()

    toast.evaluate("(time) => time.dateTime = new Date(Date.now() + 1200).toISOString()")

    expect(page.locator("[data-toast]")).to_have_count(0)


def test_double_click_does_not_decide_the_next_call(desk: Desk) -> None:
    first, second, third = tags(desk, 3)
    page = open_call(desk, first)
    button = page.locator("[data-approve]").bounding_box()
    assert button

    place = (button["x"] + 20, button["y"] + 10)
    page.mouse.click(*place)
    expect(page.locator("h1")).to_have_text("Tag order 118-1 as vip")
    page.mouse.click(*place)
    page.wait_for_timeout(300)

    assert [status(desk, one) for one in (first, second, third)] == ["approved", "pending", "pending"]


def test_rejection_with_a_reason_tells_the_model_its_sentence(desk: Desk) -> None:
    (only,) = tags(desk, 1)
    page = open_call(desk, only)

    page.locator("#reason").select_option("done_already")
    page.locator("[data-reject]").click()

    expect(page.get_by_role("heading", name="Nothing is waiting")).to_be_visible()
    expect(page.locator("[data-toast]")).to_contain_text("Rejected: Tag order 118-0 as vip")
    (row,) = load_decisions(desk.gateway, only.id)
    assert (row.reason_code, row.note) == ("done_already", "This was done already.")
    assert tool_results(desk.gateway, only.job_id) == ["Action rejected: This was done already."]


def test_own_words_go_before_the_sentence_of_the_reason(desk: Desk) -> None:
    (only,) = tags(desk, 1)
    page = open_call(desk, only)

    page.locator("#reason").select_option("wrong_target")
    page.locator("#note").fill("Jana, not Jonas.")
    page.locator("[data-reject]").click()

    page.locator("[data-toast]").wait_for()
    (row,) = load_decisions(desk.gateway, only.id)
    assert (row.reason_code, row.note) == ("wrong_target", "Jana, not Jonas.")


def test_answer_in_the_tools_place(desk: Desk) -> None:
    (only,) = tags(desk, 1)
    page = open_call(desk, only)

    page.get_by_text("Answer in the tool's place").click()
    page.locator("#response").fill("It has this tag already.")
    page.get_by_role("button", name="Respond, run nothing").click()

    expect(page.locator("[data-toast]")).to_contain_text("Answered by a reviewer")
    assert tool_results(desk.gateway, only.job_id) == ["It has this tag already."]


def test_critical_call_takes_a_second_click_and_forgets_the_first_one(desk: Desk) -> None:
    (critical,) = ask(desk.gateway, call("delete_contacts", details(count=14, list="March")))
    page = open_call(desk, critical)
    button = page.locator("[data-approve]")

    button.click()
    expect(button).to_have_text(re.compile("Approve: yes, run it"))
    expect(button).to_have_text(re.compile("Approve as asked"), timeout=6000)
    assert status(desk, critical) == "pending"
    button.dblclick()
    page.wait_for_timeout(500)
    assert status(desk, critical) == "pending", "a double click is one answer"
    page.wait_for_timeout(500)
    button.click()

    page.locator("[data-toast]").wait_for()
    assert status(desk, critical) == "approved"


def test_whoever_edits_a_critical_call_is_asked_again(desk: Desk) -> None:
    (critical,) = ask(desk.gateway, call("delete_contacts", details(count=14, list="March")))
    page = open_call(desk, critical)
    approve = page.locator("[data-approve]")
    page.wait_for_timeout(700)
    approve.click()
    expect(approve).to_contain_text("Approve: yes, run it")

    page.locator("[name='/list']").fill("April")
    expect(approve).to_contain_text("Approve with 1 edit")
    page.wait_for_timeout(4500)  # the time after which the first question was over
    expect(approve).to_contain_text("Approve with 1 edit")
    approve.click()
    expect(approve).to_contain_text("Approve: yes, run it")
    assert status(desk, critical) == "pending"

    page.wait_for_timeout(700)
    approve.click()
    expect(page.get_by_text("Nothing is waiting")).to_be_visible()
    assert '"April"' in (load_approval(desk.gateway, critical.id).modified_details or "")


def test_what_will_run_is_never_an_older_edit_than_the_one_in_the_form(desk: Desk) -> None:
    desk.expected += ["ERR_", "htmx", "network", "Failed to fetch"]
    (approval,) = ask(desk.gateway, call("tag_order", details(order_id="118-1", tag="vip")))
    page = open_call(desk, approval)
    page.locator("[name='/tag']").fill("old")
    expect(page.locator("#edit-summary")).to_contain_text("old")

    page.context.set_offline(True)
    page.locator("[name='/tag']").fill("new")
    expect(page.locator("#edit-summary")).to_be_hidden()
    expect(page.locator("[data-approve]")).to_contain_text("Approve with edits")

    page.context.set_offline(False)
    expect(page.locator("#edit-summary")).to_contain_text("new")
    expect(page.locator("#live")).to_have_attribute("data-live", "on")


def test_whoever_was_signed_out_meanwhile_gets_the_whole_page_to_sign_in(desk: Desk) -> None:
    desk.expected.append("401")
    (approval,) = ask(desk.gateway, call("tag_order", details(order_id="118-1", tag="vip")))
    page = open_call(desk, approval)
    page.set_viewport_size({"width": 820, "height": 900})
    with desk.gateway.database.write() as session:
        session.execute(delete(SignIn))
    page.wait_for_timeout(700)

    page.locator("[data-approve]").click()

    expect(page.get_by_label("Password")).to_be_visible()
    box = page.get_by_label("Password").bounding_box()
    assert box is not None
    assert box["width"] > 250
    assert box["x"] > 150
    assert status(desk, approval) == "pending"


def test_note_that_is_needed_is_asked_for_with_everything_kept(desk: Desk) -> None:
    desk.expected.append("422")
    (mail,) = ask(desk.gateway, call("send_mail", details(to="all", subject="Recall", body="Dear …")))
    page = open_call(desk, mail)

    page.locator("[data-approve]").click()

    expect(page.locator("#note-error")).to_have_text(re.compile("need a note"))
    expect(page.locator(".main-column .problem")).to_be_focused()
    page.locator("#note").fill("Legal asked for it.")
    page.wait_for_timeout(700)
    page.locator("[data-approve]").click()
    page.locator("[data-toast]").wait_for()
    assert status(desk, mail) == "approved"


def test_decision_of_somebody_else_is_shown_at_once_and_what_is_typed_stays(desk: Desk) -> None:
    first, _ = tags(desk, 2)
    page = open_call(desk, first)
    page.locator("#note").fill("I was about to say")
    page.wait_for_timeout(300)

    decide(desk.gateway, make_person(desk.gateway, email="tom@example.com"), first, Reject(), note="Not now.")

    expect(page.locator(".standing-news")).to_have_text(re.compile(r"tom rejected this \d+ s ago: “Not now.”"))
    expect(page.locator("[data-approve]")).to_be_hidden()
    expect(page.locator("#note")).to_have_value("I was about to say")
    page.get_by_role("link", name="Show it as it is now").click()
    expect(page.locator(".review-head .chip")).to_have_text("Rejected")


def test_click_that_comes_too_late_says_who_was_first_and_keeps_the_words(desk: Desk) -> None:
    desk.expected.append("409")
    (only,) = tags(desk, 1)
    page = open_call(desk, only)
    page.route("**/standing*", lambda route: route.abort())
    desk.expected += ["ERR_FAILED", "htmx", "Failed to fetch"]
    page.locator("#note").fill("Mine")
    decide(desk.gateway, make_person(desk.gateway, email="tom@example.com"), only)

    page.locator("[data-approve]").click()

    expect(page.locator(".main-column .problem")).to_contain_text("tom already decided this")
    expect(page.get_by_role("heading", name="What you typed")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Mine")


def test_stale_arguments_are_shown_with_what_changed(desk: Desk) -> None:
    desk.expected.append("409")
    (asked,) = ask(desk.gateway, call("refund_order", refund("118-1", "249.00")))
    page = open_call(desk, asked)
    newer = refund("118-1", "900.00")
    change_approval(desk.gateway, asked.id, details=newer, details_sha256=sha256_hex(newer))

    page.locator("[data-approve]").click()

    expect(page.locator(".main-column .problem")).to_contain_text("The arguments are not the ones that were shown")
    expect(page.locator(".main-column .problem .edits")).to_contain_text(re.compile(r"249\.00[\s\S]*900\.00"))
    assert status(desk, asked) == "pending"


def test_notes_of_several_calls_wait_for_their_calls(desk: Desk) -> None:
    tags(desk, 2)
    page = desk.open("/")
    titles = page.locator(".row-title")
    titles.nth(0).click()
    expect(page.locator("h1")).to_have_text("Tag order 118-0 as vip")
    page.locator("#note").fill("about the first")
    titles.nth(1).click()
    expect(page.locator("h1")).to_have_text("Tag order 118-1 as vip")
    expect(page.locator("#note")).to_have_value("")
    titles.nth(0).click()
    expect(page.locator("h1")).to_have_text("Tag order 118-0 as vip")

    expect(page.locator("#note")).to_have_value("about the first")
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_doubt_is_settled_with_how_one_knows(desk: Desk) -> None:
    shop = fill(desk.gateway)
    page = open_call(desk, shop.doubtful)
    page.locator("#doubt-note").fill("No refund in the shop.")

    page.get_by_role("button", name="It did not run").click()

    expect(page.locator(".review-head")).to_contain_text("Failed")
    assert load_decisions(desk.gateway, shop.doubtful.id)[-1].verdict == "resolve"


def test_several_are_approved_together_and_undone_together(desk: Desk) -> None:
    shop = fill(desk.gateway)
    page = desk.open("/?q=agent:crm-cleanup")
    for box in page.locator(".pick input").all():
        box.check()
    expect(page.locator("[data-picked]")).to_have_text("5 selected, 2 to skip")

    page.get_by_role("button", name="Approve 3").click()

    expect(page.locator(".report h2")).to_have_text("Approved 3, skipped 2")
    expect(page.locator(".report li")).to_have_text(
        [re.compile("Delete 14 contacts.*Its risk is critical"), re.compile("txt.exe.*Something is to be read")]
    )
    assert [status(desk, one) for one in shop.tags] == ["approved"] * 3
    assert (status(desk, shop.critical), status(desk, shop.hidden)) == ("pending", "pending")
    page.get_by_role("button", name="Undo all").click()
    expect(page.locator(".report h2")).to_have_text("Taken back 3")
    assert [status(desk, one) for one in shop.tags] == ["pending"] * 3


def test_selection_is_cleared(desk: Desk) -> None:
    tags(desk, 2)
    page = desk.open("/")
    expect(page.locator(".bulk")).to_be_hidden()
    page.locator(".pick input").first.check()
    expect(page.locator(".bulk")).to_be_visible()
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.locator(".bulk")).to_be_hidden()


def test_answer_that_does_not_come_is_said_and_nothing_typed_is_lost(desk: Desk) -> None:
    desk.expected += ["ERR_FAILED", "htmx", "Failed to fetch"]
    (only,) = tags(desk, 1)
    page = open_call(desk, only)
    page.locator("#note").fill("Kept")
    page.route("**/decision", lambda route: route.abort())

    page.locator("[data-approve]").click()

    expect(page.locator("#trouble")).to_contain_text("The gateway did not answer as it should")
    expect(page.locator("#note")).to_have_value("Kept")


def test_calls_are_decided_and_edited_without_scripts(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(java_script_enabled=False)
    desk.expected.append("422")  # the critical call asks once more
    first, second = ask(
        desk.gateway,
        call("refund_order", refund("118-1", "249.00")),
        call("delete_contacts", details(count=1, list="x")),
    )
    page = desk.open("/")
    page.get_by_role("link", name="Refund 249.00 EUR for 118-1").click()
    page.get_by_label("amount").fill("199.00")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("h1")).to_have_text("Delete 1 contacts")
    page.get_by_role("button", name="Approve as asked").click()
    page.get_by_role("button", name="Approve: yes, run it").click()
    expect(page.locator("[data-toast]")).to_contain_text("Delete 1 contacts")

    edited = load_approval(desk.gateway, first.id)
    assert edited.modified_details == refund("118-1", "199.00")
    assert status(desk, second) == "approved"


def test_hold_that_is_over_says_so_and_offers_no_undo(desk: Desk) -> None:
    address = fill(desk.gateway).address
    decide(desk.gateway, desk.person, address, channel="page")
    page = desk.open(f"/approvals/{address.id}")
    page.get_by_text("until then nothing runs").wait_for()
    change_approval(desk.gateway, address.id, release_at=ago(desk.gateway, -2))

    page = desk.open(f"/approvals/{address.id}")

    page.get_by_text("It is released and cannot be undone any more.").wait_for()
    assert not page.locator(".flash [data-undo]").is_visible()
