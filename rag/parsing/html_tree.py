"""The tree of a page without what its readers do not see, and the way through it.

Without recursion, since pages are nested as deeply as their authors like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from rag.errors import DocumentTooLarge


def names(listed: str) -> frozenset[str]:
    """Of elements, separated by spaces."""
    return frozenset(listed.split())


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# These end by themselves when another begins, or hold nothing.
_NOT_NESTED = names(
    "p li dt dd td th tr thead tbody tfoot option optgroup colgroup rb rt rp area base br col embed hr img input link "
    "meta param source track wbr html head body"
)
# Parsing takes the square of the depth: 5,000 are a tenth of a second.
_DEPTH = 5000
_UNSEEN = names(
    "script style noscript template iframe svg canvas nav footer aside button select input textarea object embed audio "
    "video map head dialog menu"
)
_UNSEEN_ROLES = names("navigation banner contentinfo search complementary menu menubar dialog")
_UNSEEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?![.\d])", re.IGNORECASE
)


def page_of(text: str) -> LexborHTMLParser:
    """Raises DocumentTooLarge for what is nested too deeply."""
    depth = 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() not in _NOT_NESTED:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            if depth > _DEPTH:
                raise DocumentTooLarge(f"The page is nested more than {_DEPTH:,} elements deep.")
    return LexborHTMLParser(text)


def remove_unseen(root: LexborNode) -> None:
    """Menus, scripts and what is hidden: also from within headings and tables."""
    node: LexborNode | None = root.first_child
    while node is not None:
        if _is_unseen(node):
            following = _following(node, root)
            node.decompose()
            node = following
        else:
            node = node.first_child or _following(node, root)


def walk(root: LexborNode, *, is_whole: Callable[[LexborNode], bool]) -> Iterator[tuple[LexborNode, bool]]:
    """Each node below the root when it is entered (True) and when it is left (False); `is_whole`: is not entered."""
    node: LexborNode | None = root.first_child
    while node is not None:
        yield node, True
        child = None if is_whole(node) else node.first_child
        if child is not None:
            node = child
            continue
        yield node, False
        while node.next is None:
            parent = node.parent
            if parent is None or parent.mem_id == root.mem_id:
                return
            node = parent
            yield node, False
        node = node.next


def _following(node: LexborNode, root: LexborNode) -> LexborNode | None:
    """The next node in the page's order that is not within this one."""
    at: LexborNode | None = node
    while at is not None and at.mem_id != root.mem_id:
        if at.next is not None:
            return at.next
        at = at.parent
    return None


def _is_unseen(node: LexborNode) -> bool:
    if node.tag in _UNSEEN:
        return True
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes
        or (attributes.get("aria-hidden") or "").lower() == "true"
        or (attributes.get("role") or "").lower() in _UNSEEN_ROLES
        or _UNSEEN_STYLE.search(attributes.get("style") or "") is not None
    )
