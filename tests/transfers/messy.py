# SPDX-License-Identifier: Apache-2.0
"""
An order table as shops have them: 541,909 lines with the faults of a well-known retail data set, and worse ones.

Its like are the exact duplicates, cancellations with negative quantities, lines without a customer, missing descriptions, prices of
nothing, and corrections of a debt. Whoever makes a line also says what must become of it, from how it was made and not by checking it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from tests.transfers.messy_faults import FAULTS, Database, Fault, Line

LINES = 541_909
CUSTOMERS, SHARING, PRODUCTS = 4_372, 50, 3_000
ANONYMOUS, CANCELLED, ADJUSTED, GUESTS, CALLERS, SHARED = 135_080, 9_288, 3, 9_000, 4_000, 2_000
FREE, NAMELESS = 2_515 / LINES, 1_454 / ANONYMOUS
COPIES, CORRECTED, SHIPPED_TO_ANOTHER, TWO_NAMES = 5_268, 700, 60, 6
FIRST_DAY = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


@dataclass
class Tally:
    """What must become of the lines; it is complete when all have been made."""

    database: Database
    read: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    worth: dict[str, Decimal] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)

    def accepted(self, line: Line, who: str, fault: Fault | None = None, *, held: bool = True) -> None:
        """Note a line that Klaviyo takes, and whether it then holds an event more."""
        metric = "Cancelled Order" if line.invoice_no[0] == "C" else "Ordered Product"
        self.fates["accepted"] += 1
        self._note(fault)
        if held:
            self.held[metric] += 1
            self.people.add(who)
            if not (fault and self.database in fault.worthless_in):
                self.worth[metric] = self.worth.get(metric, Decimal(0)) + Decimal(line.amount)

    def ends(self, line: Line, fate: str, code: str, fault: Fault | None = None) -> None:
        """Note a line that is not sent."""
        self.fates[fate] += 1
        self.ended[str(line.line_no)] = (fate, code)
        self._note(fault)

    def _note(self, fault: Fault | None) -> None:
        if fault and (note := fault.dropped or fault.dropped_in.get(self.database)):
            self.dropped[note] += 1


class OrderLines:
    """
    The lines, the same at every run.

    :param database: Where they are to be kept: a few values come out of one otherwise than out of another.
    :param lines: How many; of fewer, the same share has each fault.
    """

    def __init__(self, database: Database, lines: int = LINES) -> None:
        self.lines, self.tally = lines, Tally(database)
        self._chance = Random(536_365)
        self._catalogue = [self._product(at) for at in range(PRODUCTS)]

    def __iter__(self) -> Iterator[Line]:
        """Make the lines, once: the tally counts along."""
        for line in self._numbered():
            self.tally.read += 1
            yield line

    def share(self, count: int) -> int:
        """Return how many lines have what ``count`` of 541,909 have."""
        return max(1, count * self.lines // LINES)

    def _numbered(self) -> Iterator[Line]:
        more = {
            name: self.share(count)
            for name, count in {
                "copy": COPIES,
                "corrected": CORRECTED,
                "another": SHIPPED_TO_ANOTHER,
                "two names": TWO_NAMES,
            }.items()
        }
        invoices, regular = self._invoices(self.lines - sum(more.values()))
        faults, extras = self._places(regular, more)
        again: list[tuple[str, Line, str, Fault | None]] = []
        at = number = 0
        for kind, size in invoices:
            for line, who in self._invoice(kind, size, at):
                fault = faults.get(at)
                made = line._replace(line_no=(number := number + 1), **(fault.change(line, self._chance) if fault else {}))
                self._tell(made, who, fault)
                yield made
                for extra in extras.get(at, ()):
                    if at % 2:  # at once, or when all has been exported a second time
                        yield self._extra(extra, made._replace(line_no=(number := number + 1)), who, fault)
                    else:
                        again.append((extra, made, who, fault))
                at += 1
        for extra, made, who, fault in again:
            yield self._extra(extra, made._replace(line_no=(number := number + 1)), who, fault)

    def _invoices(self, lines: int) -> tuple[list[tuple[str, int]], list[int]]:
        """Return the invoices in order, each with its number of lines, and which lines are a known customer's."""
        counts = {
            "anonymous": self.share(ANONYMOUS),
            "cancelled": self.share(CANCELLED),
            "adjusted": self.share(ADJUSTED),
            "guest": self.share(GUESTS),
            "caller": self.share(CALLERS),
            "shared": self.share(SHARED),
        }
        invoices: list[tuple[str, int]] = []
        for kind, count in {**counts, "regular": lines - sum(counts.values())}.items():
            left = count
            while left:
                size = min(left, 1 if kind == "adjusted" else self._chance.randint(1, 41))
                invoices.append((kind, size))
                left -= size
        self._chance.shuffle(invoices)
        regular: list[int] = []
        at = 0
        for kind, size in invoices:
            if kind == "regular":
                regular += range(at, at + size)
            at += size
        return invoices, regular

    def _places(self, regular: list[int], more: Mapping[str, int]) -> tuple[dict[int, Fault], dict[int, list[str]]]:
        """Say which lines have which fault, and which come a second time."""
        counts = {name: self.share(fault.lines) for name, fault in FAULTS.items()}
        changed = {name: count for name, count in more.items() if name != "copy"}
        chosen = iter(self._chance.sample(regular, sum(counts.values()) + sum(changed.values())))
        faults = {next(chosen): FAULTS[name] for name, count in counts.items() for _ in range(count)}
        extras = {next(chosen): [name] for name, count in changed.items() for _ in range(count)}
        for at in self._chance.sample(range(self.lines - sum(more.values())), more["copy"]):
            extras.setdefault(at, []).append("copy")
        return faults, extras

    def _invoice(self, kind: str, size: int, at: int) -> Iterator[tuple[Line, str]]:
        """Make the lines of an invoice, and tell whose they are."""
        chance, number = self._chance, 536_365 + at
        who, identity = self._person(kind, number)
        date = (FIRST_DAY + timedelta(minutes=at)).isoformat()
        date = date.replace("+00:00", "Z") if number % 3 == 0 else date
        invoice = f"{ {'cancelled': 'C', 'adjusted': 'A'}.get(kind, '') }{number}"
        country = chance.choice(("United Kingdom", "United Kingdom", "EIRE", "Österreich", "", None, "Unspecified"))
        for position in range(size):
            code, description, cents = self._catalogue[int(chance.random() * PRODUCTS)]
            quantity = int(chance.random() ** 3 * 80) + 1
            cents = 0 if chance.random() < FREE else -1_106_206 if kind == "adjusted" else cents
            sign = "-" if (kind == "cancelled" or cents < 0) and cents else ""
            total = abs(quantity * cents)
            line = Line(
                0,
                f"{invoice}-{position + 1}",
                invoice,
                code,
                None if kind == "anonymous" and chance.random() < NAMELESS else description,
                -quantity if kind == "cancelled" else quantity,
                f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}",
                f"{sign}{total // 100}.{total % 100:02}",
                date,
                *identity,
                country,
                None,
                None,
            )
            yield line, who

    def _person(self, kind: str, number: int) -> tuple[str, tuple[str | None, str | None, str | None]]:
        """Return who buys: a name of our own, and what the table has for customer, e-mail address and phone number."""
        chance = self._chance
        match kind:
            case "anonymous" | "adjusted":
                return "", (chance.choice((None, "", "  ")), chance.choice((None, "")), chance.choice((None, " ")))
            case "guest":
                return f"guest {number}", (None, self._spelt(f"guest.{number}@example.com"), None)
            case "caller":
                return f"caller {number}", ("", None, self._dialled(number % 1_000_000))
            case "shared":  # two customers, one address
                customer = int(chance.random() * SHARING)
                return f"pair {customer // 2}", (str(12_346 + customer), self._spelt(f"pair.{customer // 2}@example.com"), None)
        customer = SHARING + int(chance.random() * (CUSTOMERS - SHARING))
        phone = self._dialled(1_000_000 + customer) if customer % 3 == 0 else None
        return f"customer {customer}", (str(12_346 + customer), self._spelt(f"customer.{customer}@exämple.com"), phone)

    def _spelt(self, address: str) -> str:
        """Write an address as people do."""
        match int(self._chance.random() * 5):
            case 0:
                return address.upper()
            case 1:
                return f"  {address.title()}\t\n"
        return address

    def _dialled(self, number: int) -> str:
        """Write one of the United Kingdom's two million mobile numbers from 07400 000000 as people do."""
        area, rest = 7_400 + number // 1_000_000, f"{number % 1_000_000:06}"
        return self._chance.choice((f"0{area} {rest}", f"+44{area}{rest}", f"(0{area}) {rest[:3]}-{rest[3:]}", f"0044 {area} {rest} "))

    def _product(self, at: int) -> tuple[str, str, int]:
        words = (
            "WHITE HANGING HEART",
            "CRÈME CAFÉ CUP",
            "磁器の皿",
            "TEA  'N' CAKE, \\ 20\" \t TIN",
            "🎄 GLASS BAUBLE",
            "Ĳs­emmer\x01",
            "DOTCOM POSTAGE",
        )
        return f"{10_000 + at}{'AB'[at % 2] if at % 5 == 0 else ''}", f"{words[at % len(words)]} {at}", self._chance.randint(1, 4_000)

    def _tell(self, line: Line, who: str, fault: Fault | None) -> None:
        if not who:
            self.tally.ends(line, "rejected", "no_identifier")
        elif fault and fault.code:
            self.tally.ends(line, "rejected", fault.code, fault)
        else:
            self.tally.accepted(line, who, fault)

    def _extra(self, kind: str, line: Line, who: str, fault: Fault | None) -> Line:
        """Make a line of an id that was there before."""
        match kind:
            case "copy":
                if not who or (fault and fault.code):
                    self._tell(line, who, fault)
                else:
                    self.tally.ends(line, "duplicate", "duplicate", fault)
            case "corrected":
                line = line._replace(quantity=line.quantity + 1, amount="0.01", description=None)
                self.tally.ends(line, "duplicate", "duplicate")
            case "another":
                line = line._replace(customer_id=None, email=f"another.{line.line_no}@example.com", phone=None)
                self.tally.accepted(line, f"another {line.line_no}")
            case "two names":  # Klaviyo finds out that it is the same event, nobody else can
                line = line._replace(email=None, phone=None)
                self.tally.accepted(line, who, held=False)
        return line
