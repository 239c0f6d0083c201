"""Characters that hide or reorder text, and white space that pushes it away, are marked in place."""

import json
import unicodedata

import pytest

from gateway.domain.arguments import is_same
from reviewer_ui.marking import Piece, escape_hidden, hidden_characters, pieces, plain

#: Default_Ignorable_Code_Point of Unicode 15, first and last of each stretch.
IGNORABLE = [
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]  # fmt: skip


def shown(text):
    """What stays of the text without its marks."""
    return "".join(piece.text for piece in pieces(text) if piece.meaning is None)


def test_no_code_point_that_cannot_be_seen_is_shown():
    ignorable = "a".join(chr(code) for first, last in IGNORABLE for code in range(first, last + 1))
    assert set(shown(f"a{ignorable}a")) == {"a"}

    visible = set(shown("".join(map(chr, range(0x110000)))))
    assert not visible & set(ignorable.replace("a", ""))
    assert not visible & set("\u2800\u3000\u2028\u2029\u202f\u0085\x00\x1b\r")
    kinds = {unicodedata.category(character) for character in visible - set("\n\t \u00a0")}
    assert kinds == {
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "Sm", "Sc", "Sk", "So",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, 249.00 €", "Zeile\n\tzwei", "naïve café", "cafe\u0301", "Москва", "日本語", "हिन्दी", "שלום",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f 1\ufe0f\u20e3", "non\u00a0breaking",
        "\U0001f44d\U0001f3fd \U0001f9d1\U0001f3fd\u200d\U0001f4bb",
    ],
)  # fmt: skip
def test_ordinary_text_is_left_alone(text):
    assert pieces(text) == [Piece(text)]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a\u202eb", "a[U+202E]b"),
        ("a\u200b\u200b\u200bb", "a[3 times U+200B]b"),
        ("\u2066x\u2069", "[U+2066]x[U+2069]"),
        ("a\ufe0f", "a[U+FE0F]"),
        ("a\u200db", "a[U+200D]b"),
        ("\u2764\ufe0f\ufe0f", "\u2764\ufe0f[U+FE0F]"),
        ("x" + "\u0301" * 6, "x\u0301\u0301\u0301\u0301[2 times U+0301]"),
        ("\ud800", "[U+D800]"),
        ("a" + "\n" * 412 + "b", "a[412 line breaks]\nb"),
        ("a\n \n \n \n \n \n b", "a[6 line breaks]\n b"),
        ("a" + " " * 80 + "b", "a[80 spaces]b"),
    ],
)
def test_what_hides_is_marked_where_it_stands(text, read):
    assert plain(text) == read


def test_marks_name_the_character():
    assert pieces("\u202e") == [Piece("U+202E", "RIGHT-TO-LEFT OVERRIDE")]


def test_hidden_characters_are_counted_over_all_texts():
    assert hidden_characters("a\u202e", "\u202e\u200b", "plain") == [
        ("U+202E RIGHT-TO-LEFT OVERRIDE", 2),
        ("U+200B ZERO WIDTH SPACE", 1),
    ]


def test_text_to_edit_is_the_same_json_in_plain_sight():
    text = json.dumps({"a\u202e": "\u200b\U000e0041\U0001f468\u200d\U0001f469 é"}, ensure_ascii=False) + "\r\n"

    editable = escape_hidden(text)

    assert pieces(editable) == [Piece(editable)]
    assert is_same(editable, text)
    assert "\\u202e" in editable
    assert "\\udb40\\udc41" in editable


def test_a_quarter_megabyte_of_hidden_characters_is_one_mark():
    (mark,) = pieces("\U000e0041" * 60_000)

    assert mark.text == "60000 times U+E0041"
