r"""Decide which TeX is safe: an allow list of commands and environments, bounded in length and nesting.

The page's MathJax obeys every command of a formula: ``\href`` runs a script, ``\let`` changes other formulas.
So a formula passes only if all of its commands just typeset, in MathJax and in latex2mathml alike. ``math.py``
asks for the live and the saved HTML; ``_forms/markdown.py`` asks for pandoc's LaTeX, with the same list.
"""

from __future__ import annotations

import re

__all__ = [
    "COMMANDS",
    "COMMAND_LIMIT",
    "DEPTH_LIMIT",
    "ENVIRONMENTS",
    "LENGTH_LIMIT",
    "TEXT_COMMANDS",
    "environment_at",
    "is_safe_tex",
    "plain_tex",
]

LENGTH_LIMIT = 2_000
"""Characters of a formula: a page of aligned equations has about 1,500."""

COMMAND_LIMIT = 400
"""Commands of a formula: the page needs some elements for each."""

DEPTH_LIMIT = 30
"""Nesting of braces, environments, delimiters and arguments: each is an element within an element."""

_SYMBOLS = """
    Bbbk Box Bumpeq Cap Cup Delta Diamond Doteq Downarrow Finv Game Gamma Im Join Lambda Leftarrow
    Leftrightarrow Lleftarrow Longleftarrow Longleftrightarrow Longrightarrow Lsh Omega Phi Pi Psi Re
    Rightarrow Rrightarrow Rsh Sigma Subset Supset Theta Uparrow Updownarrow Upsilon Vdash Vert Vvdash Xi
    aleph alpha amalg angle approx approxeq ast asymp backepsilon backprime backsim backsimeq backslash
    barwedge because beta beth between bigcap bigcirc bigcup bigodot bigoplus bigotimes bigsqcup bigstar
    bigtriangledown bigtriangleup biguplus bigvee bigwedge blacklozenge blacksquare blacktriangle
    blacktriangledown blacktriangleleft blacktriangleright bot bowtie boxdot boxminus boxplus boxtimes bullet
    bumpeq cap cdot cdotp cdots centerdot checkmark chi circ circeq circlearrowleft circlearrowright
    circledS circledast circledcirc circleddash clubsuit colon complement cong coprod cup curlyeqprec
    curlyeqsucc curlyvee curlywedge curvearrowleft curvearrowright dagger daleth dashleftarrow
    dashrightarrow dashv ddagger ddots delta diagdown diagup diamond diamondsuit digamma div divideontimes
    doteq doteqdot dotplus dots dotsb dotsc dotsi dotsm dotso doublebarwedge downarrow downdownarrows
    downharpoonleft downharpoonright ell emptyset epsilon eqcirc eqsim eqslantgtr eqslantless equiv eta eth
    exists fallingdotseq flat forall frown gamma ge geq geqq geqslant gets gg ggg gggtr gimel gnapprox gneq
    gneqq gnsim gt gtrapprox gtrdot gtreqless gtreqqless gtrless gtrsim gvertneqq hbar heartsuit
    hookleftarrow hookrightarrow hslash iff iiint iint imath impliedby implies in infty int intercal iota
    jmath kappa lVert lambda land langle lbrace lceil ldotp ldots le leadsto leftarrow leftarrowtail
    leftharpoondown leftharpoonup leftleftarrows leftrightarrow leftrightarrows leftrightharpoons
    leftrightsquigarrow leftthreetimes leq leqq leqslant lessapprox lessdot lesseqgtr lesseqqgtr lessgtr
    lesssim lfloor lgroup lhd ll lll llless lmoustache lnapprox lneq lneqq lnot lnsim longleftarrow
    longleftrightarrow longmapsto longrightarrow looparrowleft looparrowright lor lozenge lt ltimes lvert
    lvertneqq maltese mapsto measuredangle mho mid models mp mu multimap nLeftarrow nLeftrightarrow
    nRightarrow nVDash nVdash nabla natural ncong ne nearrow neg neq nexists ngeq ngeqq ngeqslant ngtr ni
    nleftarrow nleftrightarrow nleq nleqslant nless nmid notin nparallel nprec npreceq nrightarrow nshortmid
    nshortparallel nsim nsubseteq nsubseteqq nsucc nsucceq nsupseteq ntriangleleft ntrianglelefteq
    ntriangleright ntrianglerighteq nu nvDash nvdash nwarrow odot oint omega omicron ominus oplus oslash
    otimes owns parallel partial perp phi pi pitchfork pm prec precapprox preccurlyeq preceq precnapprox
    precneqq precnsim precsim prime prod propto psi rVert rangle rbrace rceil restriction rfloor rgroup rhd
    rho rightarrow rightarrowtail rightharpoondown rightharpoonup rightleftarrows rightleftharpoons
    rightrightarrows rightsquigarrow rightthreetimes risingdotseq rmoustache rtimes rvert searrow setminus
    sharp shortmid sigma sim simeq smallfrown smallsetminus smallsmile smile spadesuit sphericalangle sqcap
    sqcup sqsubset sqsubseteq sqsupset sqsupseteq square star subset subseteq subseteqq subsetneq subsetneqq
    succ succapprox succcurlyeq succeq succnapprox succneqq succnsim succsim sum supset supseteq supseteqq
    supsetneq supsetneqq surd swarrow tau therefore theta thickapprox thicksim times to top triangle
    triangledown triangleleft trianglelefteq triangleq triangleright trianglerighteq twoheadleftarrow
    twoheadrightarrow unlhd unrhd uparrow updownarrow upharpoonleft upharpoonright uplus upsilon upuparrows
    vDash varDelta varGamma varLambda varOmega varPhi varPi varPsi varSigma varTheta varUpsilon varXi
    varepsilon varkappa varnothing varphi varpi varpropto varrho varsigma varsubsetneq varsubsetneqq
    varsupsetneq varsupsetneqq vartheta vartriangle vartriangleleft vartriangleright vdash vdots vee veebar
    vert wedge wp wr xi zeta
"""
_FUNCTIONS = """
    Pr arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln
    log max min sec sin sinh sup tan tanh
"""
_SIMPLE = """
    quad qquad enspace thinspace limits nolimits displaystyle textstyle scriptstyle scriptscriptstyle bmod
    hline nonumber notag over choose
"""
_WITH_ARGUMENTS = """
    frac dfrac tfrac cfrac binom dbinom tbinom sqrt overset underset stackrel substack overline underline
    overbrace underbrace overrightarrow overleftarrow xrightarrow xleftarrow acute bar breve check dot ddot
    dddot grave hat mathring tilde vec widehat widetilde mathbb mathbf mathcal mathfrak mathit mathrm mathscr
    mathsf mathtt boldsymbol mathbin mathop mathrel not boxed pmod mod
"""
_TEXTS = "operatorname text textbf textit textnormal textrm textsf texttt"
_DELIMITED = "left right middle"
_SIZES = "big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm"

_TAKES_ARGUMENTS = frozenset(_WITH_ARGUMENTS.split())
_SIZED = frozenset(_SIZES.split())
TEXT_COMMANDS = frozenset(_TEXTS.split())
"""Commands whose argument is text."""
COMMANDS = frozenset(
    f"{_SYMBOLS} {_FUNCTIONS} {_SIMPLE} {_WITH_ARGUMENTS} {_TEXTS} {_DELIMITED} {_SIZES}".split()
) | frozenset(",;:!> {}|\\$%#&_")
"""Commands that a formula may have, without their backslash. ``begin`` and ``end`` are checked apart."""

_ENVIRONMENT_NAMES = """
    matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix array cases aligned align align* gathered gather
    gather* split
"""
ENVIRONMENTS = frozenset(_ENVIRONMENT_NAMES.split())
"""Environments that a formula may have."""

_SIMPLER = {
    **dict.fromkeys(("alignat", "flalign"), ("align", "align")),
    **dict.fromkeys(("alignat*", "flalign*"), ("align*", "align*")),
    "alignedat": ("aligned", "aligned"),
    "multline": ("gather", "gather"),
    "multline*": ("gather*", "gather*"),
    **dict.fromkeys(("eqnarray", "eqnarray*"), ("array}{rcl", "array")),
    "dcases": ("cases", "cases"),
    "rcases": ("array}{ll", "array"),
    **{f"{kind}matrix*": (f"{kind}matrix", f"{kind}matrix") for kind in ("", "p", "b", "B", "v", "V")},
}
"""Environments that another of the list can stand for: its opening, and its end."""
_OUTER = ("equation", "equation*", "displaymath", "math")
"""Environments that mark a formula as such, and lay nothing out."""
_KNOWN = frozenset((*_SIMPLER, *_OUTER)) | ENVIRONMENTS
_OUTER_TEX = re.compile(r"\\begin\{([a-z]+\*?)\}(.*)\\end\{\1\}", re.DOTALL)
_SIMPLER_TEX = re.compile(
    r"(?P<break>\\\\)|\\(?P<verb>begin|end)\{(?P<name>[a-zA-Z]{1,16}\*?)\}(?P<option>(?:\{\d{1,2}\}|\[[lcr]\])?)"
)

_TOKEN = re.compile(r"\\([A-Za-z]+|.)|[{}_^]|[^\\{}_^]", re.DOTALL)
_PLAIN = re.compile(r"\*?[ \n]*\{((?:[^\\{}$%#&~^_`]|\\[$%#&_])*)\}")
"""Argument of a text command. MathJax would read formulas and macros there, so the argument has none."""
_ENVIRONMENT = re.compile(r"\{([a-zA-Z]{1,16}\*?)\}")
_BEGIN = re.compile(r"\\begin\{([a-zA-Z]{1,16}\*?)\}")
_COLUMNS = re.compile(r"\{[lcr| ]{1,40}\}")
_FENCE = re.compile(r" ?(?:[()\[\]|./<>]|\\[{}|]|\\([A-Za-z]+))")
_FENCE_NAMES = """
    langle rangle lbrace rbrace lceil rceil lfloor rfloor lvert rvert lVert rVert vert Vert backslash uparrow
    downarrow updownarrow lgroup rgroup lmoustache rmoustache
"""
_FENCES = frozenset(_FENCE_NAMES.split())
_BREAK = re.compile(r"[ \n]*(?:\*|\[(?!\d(?:\.\d)?(?:pt|em|ex|mm)\]))")
"""Refused after a line's end: a star, or a space of more than a few lines."""
_SPACES = str.maketrans("\n\t", "  ")
_REFUSED = frozenset("$%#`\ufffd")


def environment_at(source: str, start: int) -> str:
    """Return the name of the known environment that begins in *source* at *start*, or ""."""
    match = _BEGIN.match(source, start)
    return match[1] if match and match[1] in _KNOWN else ""


def plain_tex(source: str) -> str:
    """Return *source* with environments of the list in place of others with the same meaning.

    The result is unchecked: ``is_safe_tex`` must read it.
    """
    if "\\begin" not in source or len(source) > LENGTH_LIMIT:
        return source
    while (match := _OUTER_TEX.fullmatch(source.strip())) and match[1] in _OUTER:
        source = match[2]
    return _SIMPLER_TEX.sub(_simpler, source).strip()


def _simpler(match: re.Match[str]) -> str:
    name = match["name"]
    if name not in _SIMPLER:
        return match[0]
    opening, closing = _SIMPLER[name]
    if match["verb"] == "begin":
        return ("\\left." if name == "rcases" else "") + f"\\begin{{{opening}}}"
    return f"\\end{{{closing}}}" + ("\\right\\}" if name == "rcases" else "") + match["option"]


def is_safe_tex(source: str) -> bool:
    """Return whether all commands of the formula *source* (without its delimiters) only typeset."""
    if len(source) > LENGTH_LIMIT or "^^" in source or not source.strip():
        return False
    return source.translate(_SPACES).isprintable() and _Reader(source).is_safe()


class _Reader:
    """Read a formula token by token, and check each command, environment and nesting."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._open: list[tuple[str, int]] = []
        """Open braces, delimiters and environments, each with the levels that it adds."""
        self._depth = 0
        self._chain = 0
        """Number of commands that wait for the same argument, as in ``\\hat\\hat x``."""

    def is_safe(self) -> bool:
        commands = 0
        while match := _TOKEN.match(self._source, self._position):
            self._position = match.end()
            commands += match[1] is not None
            if commands > COMMAND_LIMIT or self._depth + self._chain > DEPTH_LIMIT:
                return False
            if not (self._mark(match[0]) if match[1] is None else self._command(match[1])):
                return False
        return not self._open and self._position == len(self._source)

    def _mark(self, mark: str) -> bool:
        if mark == "{":
            self._enter(mark)
        elif mark == "}":
            return self._leave("{")
        elif mark in "_^":
            self._chain += 1
        elif not mark.isspace():
            self._chain = 0
        return mark not in _REFUSED

    def _command(self, name: str) -> bool:
        if name in ("begin", "end"):
            return self._environment(name)
        if name not in COMMANDS:
            return False
        if name in _TAKES_ARGUMENTS:
            self._chain += 1
            return True
        if name == "left":
            self._enter(name)
        elif (name == "right" and not self._leave("left")) or (name == "middle" and not self._is_in("left")):
            return False
        else:
            self._chain = 0
        if name in TEXT_COMMANDS:
            return self._skip(_PLAIN) is not None
        if name == "\\":
            return _BREAK.match(self._source, self._position) is None
        if name in ("left", "right", "middle") or name in _SIZED:
            fence = self._skip(_FENCE)
            return fence is not None and (fence[1] is None or fence[1] in _FENCES)
        return True

    def _environment(self, name: str) -> bool:
        match = self._skip(_ENVIRONMENT)
        if match is None or match[1] not in ENVIRONMENTS:
            return False
        if name == "end":
            return self._leave(match[1])
        self._enter(match[1])
        if match[1] == "array":
            return self._skip(_COLUMNS) is not None
        return not self._source.startswith("[", self._position)

    def _skip(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._source, self._position)
        self._position = match.end() if match else self._position
        return match

    def _enter(self, kind: str) -> None:
        self._open.append((kind, self._chain + 1))
        self._depth += self._chain + 1
        self._chain = 0

    def _is_in(self, kind: str) -> bool:
        return bool(self._open) and self._open[-1][0] == kind

    def _leave(self, kind: str) -> bool:
        if not self._is_in(kind):
            return False
        self._depth -= self._open.pop()[1]
        self._chain = 0
        return True
