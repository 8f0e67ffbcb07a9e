# SPDX-License-Identifier: Apache-2.0
"""The words of Klaviyo's filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_klaviyo.sandbox.klaviyo.problems import Refused, invalid

TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[(),\[\]])|(?P<bare>[^\s(),\[\]"']+))""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """
    A value as it stands in a filter.

    :param text: Without quotes.
    :param quoted: Whether it stood in quotes.
    """

    text: str
    quoted: bool


class Tokens:
    """
    The words of a filter, one after the other.

    :param text: The filter.
    :raises Refused: It has something that is no word.
    """

    def __init__(self, text: str) -> None:
        self.words = list(_words(text))
        self.at = 0

    def take(self, mark: str) -> bool:
        """Step over a mark if it stands here."""
        here = self.at < len(self.words) and self.words[self.at] == ("mark", mark)
        self.at += here
        return here

    def expect(self, mark: str) -> None:
        """Step over a mark that has to stand here."""
        if not self.take(mark):
            raise refusal(f"Expected '{mark}' in filter")

    def name(self) -> str:
        """Step over a name and return it; reports have fields of two words, such as ``Campaign Name``."""
        words = [self._word("bare")]
        while self._stands("bare"):
            words.append(self._word("bare"))
        return " ".join(words)

    def value(self) -> Word:
        """Step over a value and return it."""
        if not self._stands("text"):
            return Word(self._word("bare"), quoted=False)
        text = self._word("text")
        if text.startswith("'"):
            return Word(re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL), quoted=True)
        try:
            return Word(json.loads(text, strict=False), quoted=True)
        except ValueError:
            raise refusal("Invalid filter provided") from None

    def end(self) -> None:
        """Refuse anything that follows."""
        if self.at < len(self.words):
            raise refusal("Invalid filter provided")

    def _stands(self, kind: str) -> bool:
        return self.at < len(self.words) and self.words[self.at][0] == kind

    def _word(self, kind: str) -> str:
        if not self._stands(kind):
            raise refusal("Invalid filter provided")
        self.at += 1
        return self.words[self.at - 1][1]


def refusal(detail: str) -> Refused:
    """Return the 400 of a filter in a query."""
    return invalid(detail, parameter="filter")


def _words(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise refusal("Invalid filter provided")
        yield match.lastgroup, match.group(match.lastgroup)
        at = match.end()
