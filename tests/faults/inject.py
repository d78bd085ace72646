"""Calls that go wrong in besom and besom-trainer, from outside: the rules of inject_rules.h for libinject.so.

    fault = Injection(c.folder, [Rule("besom-trainer", "rename", "*/cp-*", "before", 2, "kill")])
    run_besom("run", sweep, env=fault.env)
    fault.met(), fault.fired()          # how often, over all processes"""
import collections
import os
import pathlib
import struct

from campaign import skip

STATE_LEN, RULE_MAX = 4096, 96  # as in inject_rules.h

# `nth` is a number, or a text "3+": that one and all that follow.
Rule = collections.namedtuple("Rule", "program call pattern when nth action")


def library():
    """The built library, which ctest names in BESOM_INJECT_LIBRARY; else it is looked for beside BESOM_BIN."""
    given = os.environ.get("BESOM_INJECT_LIBRARY")
    path = pathlib.Path(given or pathlib.Path(os.environ.get("BESOM_BIN", "."), "../tests/libinject.so"))
    if not path.exists():
        skip(f"{path} is not built (it is in release alone: cmake --build --preset release --target inject)")
    return str(path.resolve())


class Injection:
    """`env` for one run.  `fs` is a folder of the file system to be cut, `lines` the file that was promised in."""

    def __init__(self, folder, rules, fs=None, lines=None):
        self.state = pathlib.Path(folder, "inject.state")
        self.state.write_bytes(bytes(STATE_LEN))
        self.env = {"LD_PRELOAD": library(), "BESOM_INJECT_STATE": str(self.state),
                    "BESOM_INJECT": "\n".join("\t".join(map(str, rule)) for rule in rules)}
        if fs is not None:
            self.env["BESOM_INJECT_FS"] = str(fs)
        if lines is not None:
            self.env["BESOM_INJECT_LINES"] = str(lines)

    def _number(self, place):
        return struct.unpack_from("Q", self.state.read_bytes(), place * 8)[0]

    def met(self, rule=0):
        return self._number(rule)

    def fired(self, rule=0):
        return self._number(RULE_MAX + rule)

    def lines_len(self):
        """How long `lines` was when the power went."""
        return self._number(2 * RULE_MAX)
