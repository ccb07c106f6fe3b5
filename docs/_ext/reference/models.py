"""What people write: catalog, agreements with their clauses, requests, workloads, policy."""

from __future__ import annotations

from msgspec import inspect as shapes

from docs._ext.reference.records import Record, fields, reachable, section, sections


def clause_kinds() -> dict[str, Record]:
    """Every kind of clause by the name that people write, as the field `clauses` of an agreement has it."""
    from stargate.agreements import Agreement

    shape = shapes.type_info(Agreement)
    assert isinstance(shape, shapes.StructType)
    field = next(field for field in shape.fields if field.name == "clauses")
    assert isinstance(field.type, shapes.CollectionType | shapes.VarTupleType)
    union = field.type.item_type
    kinds = union.types if isinstance(union, shapes.UnionType) else (union,)
    return {str(kind.tag): kind.cls for kind in kinds if isinstance(kind, shapes.StructType)}


def shared_fields(kinds: list[Record]) -> frozenset[str]:
    """Fields that every one of these Structs has."""
    return frozenset(set.intersection(*(set(kind.__struct_fields__) for kind in kinds)))


def catalog() -> str:
    """Everything below `Infrastructure`."""
    from stargate.catalog import Infrastructure

    return sections(reachable([Infrastructure]))


def agreement() -> str:
    """An agreement without its clauses, and what clauses share."""
    from stargate.agreements import Agreement

    kinds = frozenset[type](clause_kinds().values())
    return sections(reachable([Agreement], leave=kinds))


def clauses() -> str:
    """Each kind of clause with the fields that are its own, then the parts that clauses are made of."""
    from stargate.agreements import Agreement

    kinds = clause_kinds()
    shared = shared_fields(list(kinds.values()))
    own = frozenset[type](kinds.values())
    elsewhere = frozenset[type](reachable([Agreement], leave=own))
    parts = [kind for kind in reachable(kinds.values()) if kind not in own | elsewhere]
    linked = own | elsewhere | frozenset[type](parts)
    common = next(iter(kinds.values()))
    texts = [
        "### Fields of every clause",
        fields(common, linked, leave_out=frozenset(common.__struct_fields__) - shared),
        *(
            section(kind, title=f"`{name}`", linked=linked, leave_out=shared)
            for name, kind in sorted(kinds.items())
        ),
        *(section(kind, title=kind.__name__, linked=linked) for kind in parts),
    ]
    return "\n\n".join(texts)


def request() -> str:
    """What is asked of the agreements, and the answer."""
    from stargate.agreements import Decision, Request, WorldFact

    return sections(reachable([Request, WorldFact, Decision]))


def workload() -> str:
    """The keys of a workload file."""
    from stargate.workloads import authored

    return sections(reachable([authored.Task]))


def policy() -> str:
    """How the broker decides, as the operator sets it."""
    from stargate.broker.policy import Policy

    return sections(reachable([Policy]))


def scenario() -> str:
    """Everything that may stand below `scenario:`; records that are told apart by a word have it in their title."""
    from stargate.agreements import WorldFact
    from stargate.rehearsal.scenario import Scenario

    return _tagged(reachable([Scenario], leave=frozenset({WorldFact})))


def sweep() -> str:
    """What may stand below `sweep:`."""
    from stargate.rehearsal.sweep.document import Sweep

    return sections(reachable([Sweep]))


def declared() -> str:
    """What others count, bring and pay, for the ledger; and what it says of it."""
    from stargate.ledger import Opening, Payment, UsageEvent

    return sections(reachable([UsageEvent, Opening, Payment]))


def _tagged(kinds: list[Record]) -> str:
    linked = frozenset[type](kinds)
    return "\n\n".join(section(kind, title=title(kind), linked=linked) for kind in kinds)


def title(kind: Record) -> str:
    """`fault: outage` where a word tells the record from others; else its name."""
    config = kind.__struct_config__
    return kind.__name__ if config.tag is None else f"`{config.tag_field}: {config.tag}`"
