"""Which nodes of a pool are free, as bitmaps: finding a gang costs block counts, never a scan of nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

Topology = Literal["block", "pool", "any"]


def _bits(mask: int) -> Iterator[int]:
    """Positions of the set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class NodeMap:
    """The nodes of one pool: whole-free ones by block, partly free ones by spare chips.

    Nodes are numbered 0..nodes-1; block b holds nodes b*block_nodes and following. A bitmap per block
    marks nodes that are wholly free; `_by_free[k]` is the set of blocks with exactly k of them, itself a bitmap.
    """

    __slots__ = (
        "_block_nodes",
        "_blocks",
        "_by_free",
        "_by_spare",
        "_levels",
        "_numbers",
        "_spare",
        "beyond",
        "chips_per_node",
        "free_chips",
        "free_nodes",
        "nodes",
    )

    def __init__(self, nodes: int, chips_per_node: int, block_nodes: int) -> None:
        assert nodes >= 0, "a pool has no negative nodes"
        assert chips_per_node > 0, "a node has chips"
        assert block_nodes > 0, "a block has nodes"
        self.chips_per_node = chips_per_node
        self._block_nodes = block_nodes
        self._numbers: tuple[int, ...] = ()
        """Every node. Gangs are made of these, so that a number is kept once, however many attempts are remembered."""
        self.nodes = 0
        self.free_chips = 0
        self.free_nodes = 0
        """Nodes that are wholly free."""
        self.beyond = 0
        """Nodes in use that the pool has lost."""
        self._blocks: list[int] = []
        self._by_free: list[int] = [0] * (block_nodes + 1)
        self._levels = 0
        """The k for which there are such blocks, as a bitmap."""
        self._spare: dict[int, int] = {}
        """Nodes partly in use, and nodes in use that the pool has lost, with the chips they still have.

        What is neither here nor free is wholly in use.
        """
        self._by_spare: list[int] = [0] * chips_per_node
        self.resize(nodes)

    def copy(self) -> NodeMap:
        """The same, to try things on."""
        twin = NodeMap(0, self.chips_per_node, self._block_nodes)
        twin._numbers, twin.nodes, twin.beyond = self._numbers, self.nodes, self.beyond
        twin.free_chips, twin.free_nodes = self.free_chips, self.free_nodes
        twin._blocks, twin._by_free, twin._levels = self._blocks.copy(), self._by_free.copy(), self._levels
        twin._spare, twin._by_spare = self._spare.copy(), self._by_spare.copy()
        return twin

    @property
    def used_nodes(self) -> frozenset[int]:
        """Nodes with at least one chip in use."""
        size = self._block_nodes
        whole = (1 << size) - 1
        full = {block * size + bit for block, free in enumerate(self._blocks) for bit in _bits(free ^ whole)}
        return frozenset(node for node in full if node < self.nodes) | self._spare.keys()

    def resize(self, nodes: int) -> None:
        """Grow or shrink to `nodes`. Nodes beyond the new end are never handed out again; those in use drain."""
        old, self.nodes = self.nodes, nodes
        if nodes > len(self._numbers):
            self._numbers = (*self._numbers, *range(len(self._numbers), nodes))
        if nodes > old:
            self._grow(old, nodes)
        for node in range(nodes, old):
            spare = self._spare.get(node)
            if spare is not None:
                self._hide_spare(node, spare)
            elif self._blocks[node // self._block_nodes] >> node % self._block_nodes & 1:
                self._set_whole((node,), free=False)
            else:
                self._spare[node] = 0
        self.beyond = sum(node >= nodes for node in self._spare)

    def find(self, count: int, chips: int, topology: Topology = "any") -> tuple[int, ...] | None:
        """`count` distinct nodes with `chips` free each, packed tightly; None if there are not that many now.

        A gang that fits one block goes to the fullest block that holds it; a larger one takes the emptiest blocks
        first so that it touches few. `topology="block"` refuses to leave one block.
        """
        assert count > 0, "a gang has nodes"
        if not 0 < chips <= self.chips_per_node:
            return None
        if chips * count > self.free_chips:
            return None
        if count == 1:
            topology = "any"  # one node is within one block wherever it is
            if chips == self.chips_per_node:
                block = self._best_block(1)
                if block is None:
                    return None
                free = self._blocks[block]
                return (self._numbers[block * self._block_nodes + (free & -free).bit_length() - 1],)
        if topology == "block" and chips < self.chips_per_node:
            return self._find_in_shared_block(count, chips) or self._find_whole(count, "block")
        partly = () if chips == self.chips_per_node else self._find_spare(count, chips)
        rest = count - len(partly)
        if rest == 0:
            return partly
        whole = self._find_whole(rest, topology)
        return None if whole is None else (*partly, *whole)

    def fits(self, count: int, chips: int, topology: Topology = "any") -> bool:
        """Whether `find` would find them: where the gang may be spread over blocks, counting is enough."""
        if chips * count > self.free_chips or chips > self.chips_per_node:
            return False
        if topology == "block" and count > 1:
            return self.find(count, chips, topology) is not None
        partly = sum([nodes.bit_count() for nodes in self._by_spare[chips:]])
        return self.free_nodes + partly >= count

    def take(self, nodes: tuple[int, ...], chips: int) -> None:
        """Use `chips` of each node. The nodes must have them."""
        assert max(nodes) < self.nodes, f"node {max(nodes)} is beyond the pool"
        self.restore(nodes, chips)

    def restore(self, nodes: tuple[int, ...], chips: int) -> None:
        """Undo a `give`: like `take`, but the gang may stand on nodes that the pool has lost since."""
        if chips == self.chips_per_node and not self._spare and max(nodes) < self.nodes:
            self._set_whole(nodes, free=False)
            return
        whole: list[int] = []
        for node in nodes:
            known = node < self.nodes
            spare = self._spare.pop(node, None)
            if spare is None:
                spare = self.chips_per_node
                if known:
                    whole.append(node)
                else:
                    self.beyond += 1
            elif known:
                self._hide_spare(node, spare)
            assert spare >= chips, f"node {node} has {spare} chips, not {chips}"
            self._keep(node, spare - chips, known=known)
        self._set_whole(whole, free=False)

    def give(self, nodes: tuple[int, ...], chips: int) -> None:
        """Return what `take` took."""
        if chips == self.chips_per_node and not self._spare:
            self._set_whole(nodes, free=True)
            return
        whole: list[int] = []
        for node in nodes:
            known = node < self.nodes
            spare = self._spare.pop(node, 0)
            if known and spare:
                self._hide_spare(node, spare)
            spare += chips
            assert spare <= self.chips_per_node, f"node {node} was given back twice"
            if spare < self.chips_per_node:
                self._keep(node, spare, known=known)
            elif known:
                whole.append(node)
            else:
                self.beyond -= 1
        self._set_whole(whole, free=True)

    def _keep(self, node: int, spare: int, *, known: bool) -> None:
        """A node is in use, with this much to spare."""
        if spare or not known:
            self._spare[node] = spare
        if spare and known:
            self._show_spare(node, spare)

    def _grow(self, old: int, nodes: int) -> None:
        """Nodes old..nodes-1 join: the ragged ends one by one, whole blocks at once."""
        size = self._block_nodes
        blocks = -(-nodes // size)
        first_whole, after_whole = -(-old // size), nodes // size
        known = len(self._blocks)
        self._by_free[0] |= ((1 << blocks) - 1) & ~((1 << known) - 1) if blocks > known else 0
        self._blocks.extend([0] * (blocks - known))
        fresh = range(max(first_whole, known), after_whole)
        if fresh:
            full, count = (1 << size) - 1, len(fresh)
            self._blocks[fresh[0] : fresh[-1] + 1] = [full] * count
            mask = ((1 << count) - 1) << fresh[0]
            self._by_free[0] &= ~mask
            self._by_free[size] |= mask
            self.free_nodes += count * size
            self.free_chips += count * size * self.chips_per_node
        self._levels = sum(1 << free for free, mask in enumerate(self._by_free) if mask)
        skip = range(fresh[0] * size, (fresh[-1] + 1) * size) if fresh else range(0)
        for node in range(old, nodes):
            if node in skip:
                continue
            spare = self._spare.get(node)
            if spare is None:
                self._set_whole((node,), free=True)
            elif spare:
                self._show_spare(node, spare)
            else:
                del self._spare[node]
        # After a restart the map begins with fewer blocks than gangs stand on: not all of a fresh one is free.
        for node in [node for node in self._spare if node in skip]:
            self._set_whole((node,), free=False)
            if self._spare[node]:
                self._show_spare(node, self._spare[node])
            else:
                del self._spare[node]

    def _find_spare(self, count: int, chips: int) -> tuple[int, ...]:
        found: list[int] = []
        for spare in range(chips, self.chips_per_node):
            for node in _bits(self._by_spare[spare]):
                found.append(node)
                if len(found) == count:
                    return tuple(found)
        return tuple(found)

    def _find_in_shared_block(self, count: int, chips: int) -> tuple[int, ...] | None:
        """Nodes of one block of which some are in use already: the block that has least beyond what is asked."""
        size = self._block_nodes
        whole_block = (1 << size) - 1
        room = 0
        for mask in self._by_spare[chips:]:
            room |= mask
        best: tuple[int, int, int] | None = None
        while room:
            block = ((room & -room).bit_length() - 1) // size
            partly = room >> block * size & whole_block
            room &= ~(whole_block << block * size)
            have = partly.bit_count() + self._blocks[block].bit_count()
            if have >= count and (best is None or have < best[0]):
                best = (have, block, partly)
        if best is None:
            return None
        _, block, partly = best
        bits = (*_bits(partly), *_bits(self._blocks[block]))
        return tuple(block * size + bit for bit in bits[:count])

    def _find_whole(self, count: int, topology: Topology) -> tuple[int, ...] | None:
        if count <= self._block_nodes:
            block = self._best_block(count)
            if block is not None:
                return self._pick(block, count)
        if topology == "block" or count > self.free_nodes:
            return None
        found: list[int] = []
        for free in reversed(tuple(_bits(self._levels & ~1))):
            for block in _bits(self._by_free[free]):
                rest = count - len(found)
                if rest <= free:
                    # The tightest block for the rest is unvisited, or as full as the one at hand.
                    last = self._best_block(rest)
                    tighter = last is not None and self._blocks[last].bit_count() < free
                    return (*found, *self._pick(last if last is not None and tighter else block, rest))
                found.extend(self._pick(block, free))
        raise AssertionError("free nodes were counted wrong")

    def _best_block(self, count: int) -> int | None:
        enough = self._levels >> count
        if not enough:
            return None
        mask = self._by_free[count + (enough & -enough).bit_length() - 1]
        return (mask & -mask).bit_length() - 1

    def _pick(self, block: int, count: int) -> tuple[int, ...]:
        first, mask = block * self._block_nodes, self._blocks[block]
        found: list[int] = []
        while len(found) < count:
            # A run of free nodes: adding its lowest bit carries to the end of it.
            low = mask & -mask
            rest = mask & (mask + low)
            start = first + low.bit_length() - 1
            found.extend(self._numbers[start : start + min((mask ^ rest).bit_count(), count - len(found))])
            mask = rest
        return tuple(found)

    def _set_whole(self, nodes: Sequence[int], *, free: bool) -> None:
        """Nodes become wholly free, or no longer are. A gang lies in few blocks: each is counted anew once."""
        size = self._block_nodes
        if len(nodes) == 1:
            self._flip(nodes[0] // size, 1 << nodes[0] % size, free=free)
            return
        block, mask = 0, 0
        for node in nodes:
            if node // size != block:
                if mask:
                    self._flip(block, mask, free=free)
                block, mask = node // size, 0
            mask |= 1 << node % size
        if mask:
            self._flip(block, mask, free=free)

    def _flip(self, block: int, mask: int, *, free: bool) -> None:
        old = self._blocks[block]
        assert old & mask == (0 if free else mask), f"block {block}: {mask:b} of {old:b} was already so"
        self._blocks[block] = new = old ^ mask
        before, after, bit, by_free = old.bit_count(), new.bit_count(), 1 << block, self._by_free
        by_free[after] |= bit
        by_free[before] = left = by_free[before] ^ bit
        self._levels = (self._levels | 1 << after) ^ (0 if left else 1 << before)
        gained = after - before
        self.free_nodes += gained
        self.free_chips += gained * self.chips_per_node

    # A full node is never looked for: it is neither shown nor hidden.

    def _show_spare(self, node: int, spare: int) -> None:
        self._by_spare[spare] |= 1 << node
        self.free_chips += spare

    def _hide_spare(self, node: int, spare: int) -> None:
        self._by_spare[spare] &= ~(1 << node)
        self.free_chips -= spare
