"""Tries of commands: which there are of a command, and what becomes of one."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import robust_outputs as outputs
from robust_commands import COMMANDS, FILE, Command
from robust_damage import DAMAGES, damages
from robust_files import made, write_files
from robust_forked import Ran, Run, preload, run_forked
from robust_judging import OLDER, faults_of_files, faults_of_words, read_tree, stamps_of
from robust_server import address_of, port_of
from robust_words import absurd
from robust_worker import CRASHED, READ, REFUSED, Outcome, Try, Watch, ended_by

NAME = "command "
SPECIAL, PLACE, DISK, WORDS, GOOD = "special", "place", "disk", "words", "good"
_GIGABYTES = 8.0
_SLOT = re.compile(r"\{(\w+)\}")
_FOLDERS = ("out", "cache", "tmp", "home", "data")
# Of a hundred tries, so many of each kind; the others damage an input.
_SHARES = {PLACE: 7, DISK: 13, WORDS: 10, SPECIAL: 12}


@dataclass(frozen=True)
class CommandTarget:
    """A command as a target of the matrix."""

    name: str
    command: Command

    @property
    def share(self) -> float:
        """How many tries it gets, in parts of the usual number."""
        return self.command.share

    def warmed(self) -> CommandTarget:
        """Import all that a command needs; return the target."""
        preload()
        return self

    def tries(self, n_tries: int, seed: int) -> Iterator[Try]:
        """Yield tries: that of good inputs, then by chance damages, places, disks and words."""
        chance = random.Random(f"{seed} {self.name}")
        yield Try(self.name, GOOD, seed)
        kinds = {kind: share for kind, share in _SHARES.items() if self._knows(kind)}
        damage = 100 - sum(kinds.values())
        for _ in range(n_tries - 1):
            kind = chance.choices([*kinds, "damage"], [*kinds.values(), damage])[0]
            yield Try(self.name, *self._try(kind, chance))

    def _knows(self, kind: str) -> bool:
        if kind == SPECIAL:
            return any(role.specials for role in self.command.roles.values())
        return kind == WORDS or bool(self.command.out)

    def _try(self, kind: str, chance: random.Random) -> tuple[str, int]:
        number = chance.randrange(1 << 40)
        if kind in (PLACE, WORDS):
            return kind, number
        if kind == DISK:
            return f"{DISK}/{chance.choice(outputs.DISKS)}", number
        roles = self.command.roles
        if kind == SPECIAL:
            role = chance.choice([name for name, role in roles.items() if role.specials])
            variant = chance.choice(list(roles[role].specials))
            return f"{role}/{variant}/{SPECIAL}", chance.randrange(
                len(roles[role].specials[variant])
            )
        role = chance.choice(list(roles))
        variant = chance.choice(list(roles[role].variants))
        whole = made(roles[role].variants[variant]).whole
        if whole and chance.random() < 0.3:
            return f"{role}/{variant}/cut", chance.randrange(len(whole))
        (damage,) = damages(whole, 1, number)
        return f"{role}/{variant}/{damage[0]}", damage[1]

    def outcome(self, item: Try, folder: Path, watch: Watch) -> Outcome:
        """Run the command of a try in an empty folder and judge what it did."""
        return _Attempt(self.command, item, folder).outcome(watch)


class _Attempt:
    """One try of a command."""

    def __init__(self, command: Command, item: Try, folder: Path) -> None:
        self.command, self.item = command, item
        self.kind, _, self.detail = item.kind.partition("/")
        self.top = folder / "top"
        for name in (*_FOLDERS, "in"):
            (self.top / name).mkdir(parents=True)
        self.as_json = item.number % 3 == 0
        self.port = 0

    def outcome(self, watch: Watch) -> Outcome:
        named = self._inputs()
        place, before_run, after = self._output()
        words = self._words({**named, "out": str(place)})
        try:
            return self._judged(words, watch, before_run)
        finally:
            after()
            (self.top / "out").chmod(0o755)

    def _output(self) -> tuple[Path, outputs.Act, outputs.Act]:
        """Return where the command is to write, and what is to be done before and after it."""
        place = self.top / "out" / self.command.name
        if self.kind == DISK:
            folders = tuple(self.top / name for name in _FOLDERS)
            acts = outputs.full_disk(self.detail, self.item.number, place.parent, folders)
            return place, *acts
        if self.kind == PLACE:
            make = list(outputs.PLACES.values())[self.item.number % len(outputs.PLACES)]
            return make(place), outputs.give_up_rights, outputs.nothing
        if self.command.out == FILE and self.item.number % 2:
            place.write_bytes(OLDER)
        return place, outputs.nothing, outputs.nothing

    def _inputs(self) -> dict[str, str]:
        """Write the inputs and return what stands for them on the command line."""
        named = {}
        for name, role in self.command.roles.items():
            folder = self.top / "in" / name
            folder.mkdir()
            path = self._input(name, folder)
            named[name] = str((folder if role.inside else path).relative_to(self.top))
            if role.served:
                named[name] = address_of(folder)
                self.port = port_of(named[name])
        return named

    def _input(self, name: str, folder: Path) -> Path:
        role = self.command.roles[name]
        sample = made(next(iter(role.variants.values())))
        if name != self.kind:
            write_files(folder, sample.files)
            return folder / sample.opened
        variant, _, damage = self.detail.rpartition("/")
        sample = made(role.variants[variant])
        if damage == SPECIAL:
            special = role.specials[variant][self.item.number]
            return special.prepare(folder, sample)
        write_files(folder, sample.with_data(DAMAGES[damage](sample.whole, self.item.number)))
        return folder / sample.opened

    def _words(self, named: Mapping[str, str]) -> list[str]:
        """Return the words of the command line."""
        line = self.command.words.split()
        if self.kind == WORDS:
            line += absurd(self.command.verb, self.item.number)
        words = [_SLOT.sub(lambda match: named[match[1]], word) for word in line]
        return words + ["--json"] * self.as_json

    def _judged(self, words: Sequence[str], watch: Watch, before_run: outputs.Act) -> Outcome:
        inputs = stamps_of(self.top / "in")
        before = self._written()
        watch.port = self.port
        ran = run_forked(Run(words, self.top, self._inside(), _GIGABYTES, before_run), watch)
        faults = list(self._faults(ran, before))
        if stamps_of(self.top / "in") != inputs:
            faults.append("an input was changed")
        result = READ if ran.code == 0 else REFUSED
        if faults:
            result = ended_by(ran.code) or CRASHED
        said = "\n".join([*faults, f"exit code {ran.code}: {' '.join(words)}", ran.err[-3000:]])
        return Outcome(self.item.words, result, said, ran.seconds, ran.peak_mb, ran.outside)

    def _inside(self) -> list[Path]:
        """Return the folders that the command may open files of."""
        if self.kind == WORDS:
            return [self.top]  # a word may be taken for a file's name there
        inputs = [self.top / "in" / name for name in self.command.roles]
        return [*inputs, *(self.top / name for name in _FOLDERS)]

    def _faults(self, ran: Ran, before: Mapping[str, bytes]) -> Iterator[str]:
        """Yield what is wrong about what a command said and left."""
        found = self._written()
        fetching = self.command.verb[0] == "fetch"
        yield from faults_of_words(ran, as_json=self.as_json)
        yield from faults_of_files(found, before, ran.code, fetching=fetching)
        if self.kind == GOOD and (ran.code != 0 or (self.command.out and not found)):
            yield "good inputs do not do"

    def _written(self) -> dict[str, bytes]:
        return {
            f"{name}/{path}": data
            for name in ("out", "cache", "tmp")
            for path, data in read_tree(self.top / name).items()
        }


TARGETS: Mapping[str, CommandTarget] = {
    NAME + name: CommandTarget(NAME + name, command) for name, command in COMMANDS.items()
}
