"""Holds the man pages to `PROGRAM COMMAND --help`, for every command of besom and besom-trainer.

    manual.py BIN MAN       where the programs and the sources of the pages are

A page has a section "## PROGRAM COMMAND" with exactly the options that --help lists there, short and long, with the same
arguments; --help, --usage and --version stand once, under "## all commands".  What the prose of a command calls an option is one of it.
No line of a help that goes to a pipe is longer than 79 columns, and no example in it is broken.
"""
import os
import re
import subprocess
import sys

programs, pages = sys.argv[1:]
environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
bad = []


def help_of(program, *command):
    done = subprocess.run([f"{programs}/{program}", *command, "--help"], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    if done.returncode == 2 and "built where" in done.stderr:
        return None  # this besom has no serve
    assert done.returncode == 0 and done.stderr == "", (program, command, done)
    return done.stdout


def listed(text):
    """{"-j, --jobs N", ...} of a help."""
    return {(short or "") + long.replace("=", " ", 1) for short, long in re.findall(r"^  (-\S, |    )(--\S+)", text, re.M) for short in [short.strip() and short]}


def written(section):
    """The same of a part of a page."""
    return {re.sub(r"[*_]", "", line) for line in re.findall(r"^(\*-.*)$", section, re.M)}


def look_at_lines(name, text):
    lines = text.split("\n")
    bad.extend(f"{name}: {len(line)} columns: {line}" for line in lines if len(line) > 79)
    for line, after in zip(lines, lines[1:]):
        if re.match(r"  (besom|echo|ssh|sqlite3)\b", line) and after and not after.startswith("  "):
            bad.append(f"{name}: an example is broken before: {after}")


for program in ("besom", "besom-trainer"):
    page = open(f"{pages}/{program}.1.scd").read()
    options = page.split("\n# OPTIONS\n")[1].split("\n# ")[0]
    sections = {part.split("\n")[0]: part for part in options.split("\n## ")[1:]}
    common = written(sections.pop("all commands"))
    overview = help_of(program)
    look_at_lines(program, overview)
    commands = re.findall(r"^  ([a-z]+) +\S", overview.split("\nCommands:\n")[1], re.M)
    assert len(commands) >= 7, overview
    if set(sections) != {f"{program} {c}" for c in commands}:
        bad.append(f"{program}: sections {sorted(sections)} for commands {commands}")
    for command in commands:
        text, name = help_of(program, command), f"{program} {command}"
        if text is None:
            continue
        look_at_lines(name, text)
        told, here = listed(text), written(sections.get(name, ""))
        assert common <= told, (name, common, told)
        bad += [f"{name}: not in the man page: {o}" for o in sorted(told - common - here)]
        bad += [f"{name}: only in the man page: {o}" for o in sorted(here - told)]
        if program == "besom":
            prose = re.search(rf"^\*{command}\*\n((?:\t.*\n|\n)+)", page.split("\n# COMMANDS\n")[1], re.M)
            if prose:  # that of two commands together is left out
                known = set(re.findall(r"--[\w-]+", " ".join(told)))
                bad += [f"{name}: the text names {o}" for o in re.findall(r"\*(--[\w-]+)", prose[1]) if o not in known]

print("\n".join(bad))
sys.exit(1 if bad else 0)
