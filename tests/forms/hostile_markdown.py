"""List Markdown with which an agent may attack a viewer, and make the forms that show it.

``python -m tests.forms.hostile_markdown`` prints the forms as JSON, for the front end's test with another parser.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from hypothesis import strategies as st

from tests.display.hostile import PAYLOADS
from vibe_notebook.parts import Run, TextPart, ThinkingPart, ToolPart
from vibe_notebook.transcript import Transcript

HOSTILE = [
    *PAYLOADS,
    # links and images
    "[x](<javascript:alert(1)>)",
    "[x](\njavascript:alert(1))",
    "[x]( javascript:alert(1) 'title')",
    "[x](javascript&colon;alert(1))",
    "[x](&#x6A&#x61;vascript:alert(1))",
    "[x](javascript%3Aalert(1))",
    "[x](\\javascript:alert(1))",
    "[x](data&#58;text/html,<script>alert(1)</script>)",
    "[x](DATA:text/html;base64,PHNjcmlwdD4=)",
    "[x](../../etc/passwd) [y](#top) [z](ftp://evil.example/x)",
    "[a][r] [r][] [r]\n\n[r]: <javascript:alert(1)> 'x'",
    "[r]\n\n> [r]: javascript:alert(1)\n\n- [r]: vbscript:x",
    "[r]\n\n[r]:\njavascript:alert(1)\n'title\" onclick=alert(1)'",
    "<JAVASCRIPT:alert(1)> <data:text/html,x> <vbscript:x> <a.b:c>",
    "ftp://evil.example/x xmpp:a@b.example javascript:alert(1) www.example.com a@b.example",
    "http://a.example```<script>``` www.a.example```<script>``` mailto:a@b.c`<script>`",
    "![x](<https://evil.example/a b.png>)",
    "[![x](https://evil.example/x.png)](https://a.example)",
    "![x][r] ![r][] ![r]\n\n[r]: https://evil.example/x.png",
    "![][^1]\n\n[^1]: ![x](https://evil.example/x.png)",
    "x[^1]^[inline ![x](https://evil.example/y.png)]\n\n[^1]: https://evil.example/x.png\n    ![x](https://evil.example/z.png)",
    "[^1]: <script>alert(1)</script>\n\n[^1]",
    '<img src="https://evil.example/x.png"/>',
    # html that viewers find in other places
    "<scr\nipt>alert(1)</script>",
    "a\n<div onclick=alert(1)>\n\n*b*\n\n</div>",
    "`a\n<script>alert(1)</script>\nb`",
    "- `a\n  <script>alert(1)</script>`",
    "> - ```\n>   <script>alert(1)</script>\n>   ```\n<b onclick=alert(1)>",
    "1. a\n\n       <script>alert(1)</script>\n",
    "10) ```\n    <script>alert(1)</script>\n    ```",
    "a\n    <script>alert(1)</script>",
    "```\n<script>alert(1)</script>",
    "~~~ a`b\n<script>alert(1)</script>\n~~~",
    "``` a`b\n<script>alert(1)</script>\n```",
    "````\n```\n<script>\n```\n````",
    "|a|\n|-|\n|`x|<script>alert(1)</script>`|",
    "`<b> | y`\n:-: | -\n`<script>alert(1)</script> | x`",
    "a | b\n- | -\n`<script>alert(1)|</script>` | c",
    "Term\n:   <script>alert(1)</script>\n\n~   ```\n    <b>\n    ```",
    "<!--\n\n<script>alert(1)</script>\n\n-->",
    "<?php echo 1 ?> <!DOCTYPE x> <![CDATA[<script>]]>",
    "&lt;script&gt; &#60;script&#62; &#x3c;img src=x onerror=alert(1)&#x3e;",
    "\\<script>alert(1)</script> \\\\<script>alert(1)</script>",
    # pandoc's attributes and raw parts
    "`<script>alert(1)</script>`{=html}",
    "```{=html}\n<script>alert(1)</script>\n```",
    "```{=latex}\n\\input{/etc/passwd}\n```",
    "~~~ {.python onclick=alert(1)}\nx\n~~~",
    '[x]{.a onclick="alert(1)" style="color:red"}',
    "[x](https://a.example){onclick=alert(1)}",
    "![x](data:image/png;base64,AAAA){onerror=alert(1)}",
    "`x`{onclick=alert(1)} ``y`` {.a}",
    "# T {#id onclick=alert(1)}\n\nT {onclick=alert(1)}\n===",
    "::: {.note onclick=alert(1)}\nx\n:::\n\n::: note\ny\n:::",
    "<div markdown=1>\n# x\n</div>",
    "---\ntitle: x\nheader-includes: \\input{/etc/passwd}\ncss: https://evil.example/x.css\n---\n",
    "% title\n% author\n% date",
    "x\n\n---\ncss: https://evil.example/x.css\n...\n",
    "| line block\n| \\input{x}\n|   <b>",
    "(@a) x\n\n(@) y (@a)",
    "+---+---+\n| `a | b` |\n+===+===+\n| <script> | \\input{x} |\n+---+---+",
    "  a     b\n----- -----\n`<b>  c`  d\n",
    "Table: x {onclick=alert(1)}\n\n: x {onclick=alert(1)}",
    "[@key] @key [-@key, p. 3]",
    "H~2~O x^2^ x^[note]",
    # TeX
    "$5 and $6, $7",
    r"\input{/etc/passwd} \immediate\write18{id} \def\x{y} \href{javascript:alert(1)}{x}",
    r"\begin{verbatim}\end{verbatim}\input{/etc/passwd}",
    "\\begin{equation}\n\\input{/etc/passwd}\n\\end{equation}",
    r"\(\input{/etc/passwd}\) \[\input{/etc/passwd}\] \\(\input{x}\\) \\[\input{x}\\]",
    r"$\input{/etc/passwd}$ $$\input{/etc/passwd}$$ $`\input{x}`$",
    "$$\n\\input{/etc/passwd}\n$$\n\n```math\n\\input{x}\n```",
    "$[x](javascript:alert(1))$ $$![x](https://evil.example/x.png)$$",
    "$$\n[r]: javascript:alert(1)\n$$\n\n[r]",
    "$a<script>alert(1)</script>$ $x|y$ $`$",
    "|a|\n|-|\n|$x|y$|\n|`$`\\input{x}`$`|",
    "`$` \\input{x} `$`\n\n`a$b` \\let\\x\\y `c$d`",
    "\\$\\input{x}\\$ \\\\$\\input{x}$ $\\$\\input{x}$",
    "\\`\\input{x}\\` ``\\input{x}` `\\input{x}``",
    "```\n$\n```\n\\input{x}\n```\n$\n```",
    "-     \\input{x}\n\n      \\input{y}\n\n1.      \\input{z}",
    "\\\n\\input{x}\n\\newline \\ \\, \\% \\_ C:\\new\\table",
]
"""Texts that attack viewers; the English of each is in its comment above."""

FRAGMENTS = [
    "<", "<script>", "</script>", "<img src=https://evil.example/x onerror=alert(1)>", "<!--", "-->", "<b onclick=x>",
    "`", "``", "```", "```\n", "```{=html}\n", "~~~", "~~~\n", "    ", "\t", "\n", "\n\n", "  \n", "\\\n", "\\", "\\\\",
    "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\input{x}", "\\begin{x}", "\\end{x}", "{=html}", "{.a onclick=x}", "{", "}",
    "[", "]", "](", "](javascript:x)", "](<data:x>)", "](https://a.example)", "[r]", "[r]: javascript:x\n", "[^1]", "[^1]: ",
    "![", "![x](https://evil.example/y.png)", "(", ")", "^[", "| ", "|-|-|\n", "---\n", "===\n", ":-:\n", ": ", "::: a\n",
    "- ", "* ", "+ ", "1. ", "12) ", "> ", "# ", "% ", "&lt;", "&#60;", "&", "*", "_", "~", "^", "@a", "(@) ", "a", "b c",
    "é", "http://a.example/", "www.a.example", "mailto:a@b.c", "javascript:x", "ftp://a.example", "<https://a.example>", "<javascript:x>",
]  # fmt: skip
documents = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)


def joined(*texts: str) -> Transcript:
    """Return a transcript of texts in every place whose Markdown is an agent's own, one after the other."""
    parts = tuple(TextPart(part_id=str(number), text=text) for number, text in enumerate(texts))
    thoughts = tuple(ThinkingPart(part_id=str(number), text=text) for number, text in enumerate(texts))
    call = ToolPart(
        tool_call_id="c",
        tool_name=texts[0],
        state="error",
        args_text=texts[0],
        output=texts[0],
        error=texts[0],
    )
    run = Run(run_id="s", agent_name=texts[0], parts=parts, error=texts[0])
    return Transcript(
        parts=(*parts, call.model_copy(update={"children": parts}), *thoughts),
        runs=(run,),
        error=texts[0],
        outcome="error",
    )


def forms() -> Iterator[str]:
    """Yield the Markdown form of each hostile text, whole and as two parts that a viewer reads as one text."""
    for text in HOSTILE:
        yield joined(text).to_markdown()
        yield Transcript(parts=(TextPart(text=text),)).to_markdown()
        cut = len(text) // 2
        yield joined(text[:cut], text[cut:]).to_markdown()


if __name__ == "__main__":
    json.dump(list(forms()), sys.stdout)
