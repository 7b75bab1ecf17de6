"""The space inside a trained encoder: what of it may be left out."""

from collections.abc import Mapping, Sequence
from typing import Any

from nas.teachers.cuttable import fixed_layers, floor_of, layers_like
from nas.teachers.embedding import may_embed
from nas.teachers.replacement import require_kinds
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidExperiment
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.kinds import LAYER_SLOTS, SLOTS
from search_spaces.library import load_space
from search_spaces.operations import write_kind
from search_spaces.parts import Part

# Shares of a layer's heads and of its feed-forward that a candidate may keep. The least are that
# small because many layers of one head and few neurons keep most of a score where few whole layers
# lose it.
HEAD_SHARES = (1 / 12, 1 / 6, 1 / 4, 1 / 2, 3 / 4, 1.0)
FEEDFORWARD_SHARES = (1 / 24, 1 / 12, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
# Of the cuts of all layers alike that a search begins with: what one would try by hand.
UNIFORM_CUTS = ((1 / 4, 1 / 4), (1 / 12, 1 / 24), (1 / 2, 1 / 2))


def teacher_space(teacher: Architecture, mixers: Sequence[str] = ()) -> dict[str, Any]:
    """Return the space of all cuts of an encoder, as a YAML file holds it.

    Any number of its layers; in each a share of its heads, as wide as they are, and of its
    feed-forward, of a teacher with unlike layers at most what each has. A search begins with
    uniform cuts: so many thin layers keep more than few whole
    ones, and what it finds later has to be better.

    Args:
        teacher: What the encoder is built like.
        mixers: Kinds of heads that may stand in its layers beside its own, such as "c_5".

    Raises:
        InvalidArchitecture: There is no such mixer.
    """
    layer, depth = floor_of(teacher), len(teacher.layers)
    heads, inner = len(layer.heads), layer.feedforward[0]
    cuts = [[max(1, round(n)) for n in (h * heads, f * inner)] for h, f in UNIFORM_CUTS]
    uniform = [
        Architecture(layers_like(teacher.layers, h, f), parts=teacher.parts) for h, f in cuts
    ]
    operations: dict[str, list[str | int]] = {}
    for head in dict.fromkeys(one.heads[0] for one in teacher.layers):
        operations.setdefault(head.operation, []).append(head.parameter)
    for operation, parameter in require_kinds(mixers):
        if parameter not in operations.setdefault(operation, []):
            operations[operation].append(parameter)
    return {
        "first": [a.to_dict() for a in dict.fromkeys(uniform)],
        "description": f"Cuts of an encoder of {depth} layers, width {layer.width}.",
        "layers": list(range(1, depth + 1)),
        "widths": [layer.width],
        "shared": "width",
        "heads": sorted({max(1, round(share * heads)) for share in HEAD_SHARES}),
        "head_width": layer.heads[0].width,
        "operations": operations,
        "feedforward_widths": sorted(
            {max(1, round(share * inner)) for share in FEEDFORWARD_SHARES}
        ),
        "feedforward_depths": [1],
        "model": {slot: {part.kind: dict(part.settings)} for slot, part in teacher.parts},
        **{SLOTS[slot].plural: [str(part)] for slot, part in layer.parts},
        **({"first_layer": _parts_of_first(teacher)} if fixed_layers(teacher) else {}),
    }


def _parts_of_first(teacher: Architecture) -> dict[str, str]:
    """Return what the first layer has in slots where the others have something else."""
    first, usual = teacher.layers[0], teacher.layers[-1]
    slots = [slot for slot in LAYER_SLOTS if first.part(slot) != usual.part(slot)]
    return {slot: str(first.part(slot)) for slot in slots}


def require_cut(child: Architecture, teacher: Architecture, mixers: Sequence[str] = ()) -> None:
    """Check that an architecture can be cut out of a teacher.

    Raises:
        InvalidExperiment: It has something that the teacher lacks.
    """
    if child.body == teacher:
        return
    most = floor_of(teacher)
    kinds = {(head.kind, head.width) for layer in teacher.layers for head in layer.heads}
    kinds |= {(write_kind(*kind), most.heads[0].width) for kind in require_kinds(mixers)}
    wanted = f"at most {len(teacher.layers)} layers {most.width} wide, each with at most "
    wanted += f"{len(most.heads)} heads {most.heads[0]} and {most.feedforward[0]} neurons"
    reasons = [f"{len(child.layers)} layers"] if len(child.layers) > len(teacher.layers) else []
    for number, layer in enumerate(child.layers):
        if layer.width != most.width:
            reasons.append(f"width {layer.width} in layer {number}")
        strange = [str(h) for h in layer.heads if (h.kind, h.width) not in kinds]
        strange += [str(layer.heads[-1])] if len(layer.kinds) > 1 else []
        reasons += [f"the head {strange[0]} in layer {number}"] if strange else []
        if len(layer.heads) > len(most.heads):
            reasons.append(f"{len(layer.heads)} heads in layer {number}")
        if len(layer.feedforward) > 1 or layer.feedforward[0] > most.feedforward[0]:
            reasons.append(f"feed-forwards {list(layer.feedforward)} in layer {number}")
        its = most if number or not fixed_layers(teacher) else teacher.layers[0]
        wrong = [slot for slot in LAYER_SLOTS if layer.part(slot) != its.part(slot)]
        reasons += [f"{slot}={layer.part(slot)} in layer {number}" for slot in wrong]
    reasons += [f"{s}={p}" for s, p in child.parts if not _may_stand(s, p, teacher)]
    if reasons:
        raise InvalidExperiment(
            f"The architecture cannot be cut out of the checkpoint: it has {reasons[0]}. The "
            f"checkpoint allows {wanted}."
        )


def _may_stand(slot: str, part: Part, teacher: Architecture) -> bool:
    """Whether a part may stand in a slot of the model of a cut."""
    if slot == "embedding":
        return may_embed(part, teacher)
    return slot == "positions" or part == teacher.part(slot)


def require_inside(
    space: str | Mapping[str, Any], teacher: Architecture, mixers: Sequence[str] = ()
) -> None:
    """Check that everything a space offers can be cut out of a teacher.

    Raises:
        InvalidExperiment: Something is larger than the teacher, or of another kind.
    """
    found = load_space(space)
    if not isinstance(found, FlexiBertSpace):
        raise InvalidExperiment(
            f"The space {found.name!r} is none of a YAML file, so that it cannot be told whether "
            "it lies inside the checkpoint. Leave the space out, or give a YAML file."
        )
    definition, layer = found.definition, floor_of(teacher)
    head_width = definition.head_width
    widest = max(definition.widths)
    limits = {
        "layers": (max(definition.layers), len(teacher.layers)),
        "widths": (widest, layer.width),
        "heads": (max(definition.heads), len(layer.heads)),
        "feedforward_widths": (max(definition.feedforward_widths), layer.feedforward[0]),
        "feedforward_depths": (max(definition.feedforward_depths), len(layer.feedforward)),
        "head_width": (head_width or widest // min(definition.heads), layer.heads[0].width),
    }
    for name, (offered, most) in limits.items():
        if offered > most:
            raise InvalidExperiment(
                f"The space offers {name} up to {offered}, and the checkpoint has {most}: nothing "
                f"can be cut out that is not there. Lower {name}, or leave the space out."
            )
    kinds = [write_kind(*kind) for kind in definition.kinds]
    known = sorted({head.kind for of in teacher.layers for head in of.heads})
    known += [write_kind(*kind) for kind in require_kinds(mixers)]
    strange = [kind for kind in kinds if kind not in known]
    parts = [
        f"{slot}={part}"
        for slot, options in definition.layer_options.items()
        for part in options
        if part != layer.part(slot)
    ]
    parts += [
        f"{slot}={part}"
        for slot, options in definition.model_options.items()
        for part in options
        if not _may_stand(slot, part, teacher)
    ]
    if strange or parts:
        raise InvalidExperiment(
            f"The space offers {(strange + parts)[0]}, for which the checkpoint has no weights. It "
            f"has {', '.join(known)} alone. Leave the space "
            "out to search among all cuts of the checkpoint, or name other mixers in mixers."
        )
