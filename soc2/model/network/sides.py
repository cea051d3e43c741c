"""What policies say at one end of connections, worked out once for all classes of endpoints that they see alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from typing import TypeVar

from soc2.model.network.addresses import AddressSet, Span
from soc2.model.network.classes import Classes
from soc2.model.network.endpoints import NamedPort
from soc2.model.network.policies import Direction, Policy, Rule, single
from soc2.model.network.ports import NO_PORT, PortSet
from soc2.model.network.selection import places_in, set_of
from soc2.model.network.tiers import Judged, Members, Ranked, Table, Term, Tiers, add, decide, either

M = TypeVar("M", bound=Members)


class Side:
    """One end of connections in one direction: ``tables`` have the classes at the other end by the ports that are open,
    one for each family of addresses."""

    def __init__(self, classes: Classes, of_classes: Tiers[int], of_addresses: Callable[[], Tiers[AddressSet]]) -> None:
        self._classes = classes
        self._make_addresses = of_addresses
        self._open_to: dict[tuple[Span, ...], PortSet] = {}
        self.of_classes = of_classes

    @cached_property
    def of_addresses(self) -> Tiers[AddressSet]:
        return self._make_addresses()

    @cached_property
    def tables(self) -> tuple[Table[int], ...]:
        decided = decide(self.of_classes, self._classes.faces)
        return tuple(self._folded(decided, family) for family in self._classes.families)

    def _folded(self, decided: Table[int], family: int) -> Table[int]:
        found: Table[int] = {}
        for ports, faces in decided.items():
            found = add(found, ports, self._classes.fold(faces & family))
        return found

    def of_block(self, addresses: AddressSet) -> Table[AddressSet]:
        """Return addresses by the ports that are open."""
        return decide(self.of_addresses, addresses)

    def open_to(self, addresses: AddressSet) -> PortSet:
        """Return the ports that are open for any of some addresses."""
        found = self._open_to.get(addresses.spans)
        if found is None:
            found = NO_PORT
            for ports in self.of_block(addresses):
                found = either(found, ports)
            self._open_to[addresses.spans] = found
        return found


class Sides:
    """The sides of all classes."""

    def __init__(self, classes: Classes, policies: Sequence[Policy], admin: Sequence[Policy]) -> None:
        self._classes = classes
        self._ports_of_targets = _with_ports(classes)
        self._terms: dict[Hashable, tuple[Term[int], ...]] = {}
        self._ranked_classes: dict[Hashable, dict[bool, Ranked[int]]] = {}
        self._ranked_addresses: dict[Hashable, dict[bool, Ranked[AddressSet]]] = {}
        ordered = sorted(admin, key=lambda each: each.priority)
        self._naming = frozenset(filter(_speaks_of_names, (*policies, *admin)))
        self.ingress = self._of_direction("Ingress", policies, ordered)
        self.egress = self._of_direction("Egress", policies, ordered)

    def classes_of(self, sides: Sequence[Side]) -> dict[Side, int]:
        """Return the classes that have each of some sides."""
        found: dict[Side, list[int]] = {}
        for number, side in enumerate(sides):
            found.setdefault(side, []).append(number)
        return {side: set_of(numbers) for side, numbers in found.items()}

    def _of_direction(self, direction: Direction, policies: Sequence[Policy], admin: Sequence[Policy]) -> tuple[Side, ...]:
        """Return the side of every class, by its number: those that the same policies select share it."""
        every = (*admin, *policies)
        selecting: list[list[int]] = [[] for _ in self._classes.classes]
        for place, policy in enumerate(every):
            if policy.subject and direction in policy.rules:
                for number in places_in(self._classes.select(policy.subject)):
                    selecting[number].append(place)
        made: dict[Hashable, Side] = {}
        sides = []
        for each, places in zip(self._classes.classes, selecting, strict=True):
            chosen = [every[place] for place in places]
            named = each.endpoints[0].ports if direction == "Ingress" and not self._naming.isdisjoint(chosen) else ()
            key = (tuple(places), tuple(sorted(set(named))))
            if key not in made:
                made[key] = self._side(direction, chosen, len([place for place in places if place < len(admin)]), key[1])
            sides.append(made[key])
        return tuple(sides)

    def _side(self, direction: Direction, chosen: Sequence[Policy], admins: int, named: Sequence[NamedPort]) -> Side:
        admin, isolating = chosen[:admins], chosen[admins:]

        def of_classes(rule: Rule) -> tuple[Term[int], ...]:
            key = (rule, named)
            if key not in self._terms:
                self._terms[key] = tuple(self._class_terms(direction, rule, named))
            return self._terms[key]

        def of_addresses(rule: Rule) -> tuple[Term[AddressSet], ...]:
            ports = rule.ports.resolve(named) if direction == "Ingress" else rule.ports.numbers
            peers = self._classes.peers(rule)
            return (Term(rule, ports, peers.sure_addresses, peers.possible_addresses),)

        # Names of ports are part of what decides only where some rule speaks of them.
        of_admin = () if self._naming.isdisjoint(admin) else named
        key = (direction, tuple(admin), of_admin)
        return Side(
            self._classes,
            _tiers(direction, admin, isolating, of_classes, self._ranked_classes.setdefault(key, {})),
            lambda: _tiers(direction, admin, isolating, of_addresses, self._ranked_addresses.setdefault(key, {})),
        )

    def _class_terms(self, direction: Direction, rule: Rule, named: Sequence[NamedPort]) -> Iterable[Term[int]]:
        """Yield the rule's terms. Names of ports are those of the target: of this end, or of each peer's own."""
        peers = self._classes.peers(rule)
        if direction == "Ingress":
            yield Term(rule, rule.ports.resolve(named), peers.sure, peers.possible)
            return
        yield Term(rule, rule.ports.numbers, peers.sure, peers.possible)
        if rule.ports.names:
            for port, faces in self._ports_of_targets.items():
                if rule.ports.speaks_of(port) and peers.possible & faces:
                    yield Term(rule, PortSet.of([single(port)]), peers.sure & faces, peers.possible & faces)


def _tiers(
    direction: Direction,
    admin: Sequence[Policy],
    isolating: Sequence[Policy],
    terms: Callable[[Rule], tuple[Term[M], ...]],
    known: dict[bool, Ranked[M]],
) -> Tiers[M]:
    """``known`` has what was made of the same administrators' policies for another end."""

    def ranked(*, baseline: bool) -> Ranked[M]:
        if baseline not in known:
            known[baseline] = Ranked(
                tuple(
                    tuple(Judged(each, tuple(t for rule in each.rules[direction] for t in terms(rule))) for each in group)
                    for _, group in groupby((p for p in admin if p.baseline == baseline), key=lambda each: each.priority)
                )
            )
        return known[baseline]

    ours = tuple(term for policy in isolating for rule in policy.rules[direction] for term in terms(rule))
    return Tiers(ranked(baseline=False), tuple(isolating), ours, ranked(baseline=True))


def _speaks_of_names(policy: Policy) -> bool:
    return any(rule.ports.names for rule in policy.rules.get("Ingress", ()))


def _with_ports(classes: Classes) -> dict[NamedPort, int]:
    """Return the faces of the classes that declare a port, by those that some rule names."""
    found: dict[NamedPort, list[int]] = {}
    for each in classes.classes:
        for port in classes.named(each.endpoints[0]):
            found.setdefault(port, []).append(each.number)
    return {port: classes.spread(set_of(numbers)) for port, numbers in found.items()}
