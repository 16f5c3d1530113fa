"""Run every SDK offline, in its lowest and its newest version: ``make live``.

Each range is an extra in pyproject.toml. Each version gets an environment of its own, in which
tests/live runs the scripts of that SDK. The results are printed and written to docs/adapters-tested.md.
``python -m tools.live agno openai`` runs only those SDKs, and leaves the other lines as they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOC = ROOT / "docs" / "adapters-tested.md"
HEAD = """# What the adapters were tested with

`make live` writes this page: it runs each SDK offline through `vibe.watch`, in the lowest and the newest version of
the range in its extra (`pip install "vibe_notebook[agno]"`). An adapter imports no SDK: other versions may work too.

| SDK | range | version | result |
| --- | --- | --- | --- |
"""
SCRIPTS = {
    "a2a": ["a2a"],
    "acp": ["acp"],
    "ag-ui": ["agui"],
    "agent-framework": ["agent_framework"],
    "agno": ["agno"],
    "anthropic": ["anthropic"],
    "anthropic-managed-agents": ["anthropic_managed_agents"],
    "autogen": ["autogen"],
    "bedrock": ["bedrock"],
    "chatlas": ["chatlas"],
    "claude-agent-sdk": ["claude_agent_sdk"],
    "cohere": ["cohere"],
    "crewai": ["crewai"],
    "deepagents": ["deepagents"],
    "dspy": ["dspy"],
    "google-adk": ["google_adk"],
    "google-genai": ["google_genai", "google_interactions"],
    "haystack": ["haystack"],
    "instructor": ["instructor"],
    "langchain": ["langgraph"],
    "langgraph-sdk": ["langgraph_sdk"],
    "letta": ["letta"],
    "litellm": ["litellm"],
    "llama-index": ["llama_index"],
    "mcp": ["mcp"],
    "mistral": ["mistral", "mistral_conversations"],
    "ollama": ["ollama"],
    "openai": ["openai_chat", "openai_responses"],
    "openai-agents": ["openai_agents", "openai_agents_traces"],
    "openai-sessions": ["openai_sessions"],
    "openinference": ["openinference"],
    "opentelemetry": ["otel_spans"],
    "pydantic-ai": ["pydantic_ai"],
    "semantic-kernel": ["semantic_kernel"],
    "smolagents": ["smolagents"],
    "strands": ["strands"],
    "xai": ["xai"],
}
"""By extra, the scripts in tests/samples/record that run the SDK."""
AUTO = {
    "langchain": "test_langchain",
    "openai-agents": "test_openai_agents",
    "opentelemetry": "test_spans_of_a_provider",
    "pydantic-ai": "test_pydantic_ai",
}
"""By extra, the test of ``vibe.auto()`` with the SDK."""
MODELS = {
    "agno": ["openai>=3,<4"],
    "openinference": ["langchain>=1.2,<2", "langgraph>=1.2,<2", "opentelemetry-sdk>=1.30,<2"],
    "opentelemetry": ["pydantic-ai-slim>=2,<3"],
    "smolagents": ["openai>=3,<4"],
}
"""By extra, further requirements of its scripts: the SDK's model is another SDK's client."""
OLD_DEPENDENCIES = {
    "pydantic-ai": ["opentelemetry-api<1.37"],
    "haystack": ["httpx>=0.27"],
    "semantic-kernel": ["httpx>=0.27"],
}
"""By extra, dependencies of its lowest version, which imports what newer ones have removed."""
TOOLS = ["-e", f"{ROOT}[remote]", "pytest>=8.3", "pytest-timeout>=2.3", "hypothesis>=6.112"]
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}


def main(wanted: Iterable[str]) -> int:
    """Run the wanted SDKs, or all. Return 1 if one failed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = known_lines()
    failures = 0
    for name in list(wanted) or SCRIPTS:
        for age, resolution in RESOLUTIONS.items():
            found, result = try_version(name, extras[name], age, resolution)
            print(f"{name:17} {age:7} {found:45} {result}", flush=True)
            lines[name, age] = f"| {name} | `{'`, `'.join(extras[name])}` | {found} | {result} |"
            failures += result != "passed"
    DOC.write_text(HEAD + "".join(f"{lines[key]}\n" for key in sorted(lines)))
    return int(failures > 0)


def known_lines() -> dict[tuple[str, str], str]:
    """Return the lines of the table by SDK and age; an SDK's first line is its lowest version."""
    lines: dict[tuple[str, str], str] = {}
    for line in DOC.read_text().splitlines() if DOC.exists() else ():
        cells = [cell.strip() for cell in line.split("|")]
        if (name := cells[1] if line.startswith("|") else "") in SCRIPTS:
            lines[name, "newest" if (name, "lowest") in lines else "lowest"] = line
    return lines


def try_version(name: str, requirements: list[str], age: str, resolution: str) -> tuple[str, str]:
    """Run one version of an SDK. Return the version and the result."""
    folder = ROOT / "build" / "live" / f"{name}-{age}"
    python = folder / "bin" / "python"
    install = ["pip", "install", "--quiet", "--python", str(python)]
    old = OLD_DEPENDENCIES.get(name, ()) if age == "lowest" else ()
    steps = (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [*install, *TOOLS, *MODELS.get(name, ())],
        [*install, "--resolution", resolution, *requirements, *old],
    )
    for step in steps:
        done = run(*uv(), *step)
        if done.returncode:
            return "", f"cannot be installed: {last_line(done.stderr)}"
    found = ", ".join(f"{package} {version(python, package)}" for package in map(package_of, requirements))
    chosen = [f"tests/live/test_sdks.py::{test}[{script}]" for test in TESTS for script in SCRIPTS[name]]
    chosen += [f"tests/live/test_auto.py::{AUTO[name]}"] if name in AUTO else []
    pytest = (str(python), "-m", "pytest", "-m", "live", "-q", "--require-all", "-p", "no:cacheprovider")
    done = run(*pytest, *chosen)
    if done.returncode == 0 and name in APPROVERS:
        done = run(*pytest, "tests/live/test_approvers.py", "-k", APPROVERS[name])
    if done.returncode == 0 and name in CHATS and age == "newest":  # older ones have no way to steer
        done = run(*pytest, "tests/live/test_chat.py", "-k", CHATS[name])
    shutil.rmtree(folder)
    return found, "passed" if done.returncode == 0 else f"**failed**: {last_line(done.stdout)}"


APPROVERS = {
    "acp": "acp",
    "agno": "agno",
    "claude-agent-sdk": "claude_agent_sdk",
    "google-adk": "google_adk",
    "langchain": "langgraph",
    "mcp": "mcp",
    "openai-agents": "openai_agents",
    "pydantic-ai": "pydantic_ai",
    "strands": "strands",
}
"""By extra, the name of the SDK's approver."""
CHATS = {
    "claude-agent-sdk": "claudes_client",
    "langchain": "langgraph",
    "openai": "openais_responses",
    "openai-agents": "openai_agents",
    "pydantic-ai": "pydantic_ai",
}
"""By extra, the tests of a chat with the SDK."""
TESTS = (
    "test_a_watched_sdk_gives_the_recorded_transcript",
    "test_live_objects_and_their_json_give_the_recorded_parts",
    "test_no_tool_call_begins_after_the_end_of_a_watch",
)


def uv() -> list[str]:
    """Return the command of uv, the installer that can choose the lowest versions."""
    return [found] if (found := shutil.which("uv")) else [sys.executable, "-m", "uv"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def version(python: Path, package: str) -> str:
    """Return the installed version of *package*."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return run(str(python), "-c", code).stdout.strip()


def package_of(requirement: str) -> str:
    """Return the name of the package in a requirement."""
    return re.split(r"[\[<>=! ]", requirement)[0]


def last_line(output: str) -> str:
    """Return the telling line of a tool's output, fit for a cell of a table."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E  ", "skipped, and", "FAILED", "ERROR"))]
    return (errors or lines or ["?"])[0 if errors else -1].removeprefix("E").strip().replace("|", "/")[:120]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
