"""What to try next: policies that propose architectures (`ask`) and learn from results (`tell`)."""

from typing import TYPE_CHECKING

from search_spaces.registry import Registry

if TYPE_CHECKING:
    from surrogates.policy import Policy, Prediction

__all__ = ["POLICIES", "Policy", "Prediction", "list_policies", "make_policy"]

# name -> where the class or factory lives; it is imported by `make_policy`, not before, so that
# offering a policy costs nothing. Other packages add entries through the entry-point group.
POLICIES: Registry[object] = Registry("policy", group="surrogates.policies")
POLICIES.register("random")("surrogates.policies.random_search:RandomSearch")
POLICIES.register("boshnas")("surrogates.boshnas.policy:boshnas")
POLICIES.register("boshnas-paper")("surrogates.boshnas.paper:PaperBoshnas")
POLICIES.register("gp-hamming")("surrogates.policies.gp_hamming:gp_hamming")
POLICIES.register("parameters")("surrogates.policies.parameters:ParameterSorted")
POLICIES.register("evolution")("surrogates.policies.evolution:Evolution")
POLICIES.register("warm-evolution")("surrogates.policies.evolution:warm_evolution")
POLICIES.register("local-search")("surrogates.policies.local_search:LocalSearch")
POLICIES.register("nsga2")("surrogates.policies.nsga2:NSGA2")
POLICIES.register("tpe", "mo-tpe")("surrogates.policies.tpe:TPE")
POLICIES.register("reinforce")("surrogates.policies.reinforce:Reinforce")
POLICIES.register("forest")("surrogates.policies.forest:forest")
POLICIES.register("extra-trees")("surrogates.policies.extra_trees:extra_trees")
POLICIES.register("trust-region")("surrogates.policies.trust_region:trust_region")
POLICIES.register("bananas")("surrogates.policies.bananas:Bananas")
POLICIES.register("gp-onehot")("surrogates.policies.gp_one_hot:gp_one_hot")
POLICIES.register("gp-wl")("surrogates.policies.gp_weisfeiler_lehman:gp_weisfeiler_lehman")
POLICIES.register("qlognehvi")("surrogates.policies.qlognehvi:QLogNEHVI")


def list_policies() -> list[str]:
    """Return the names `make_policy` accepts, sorted."""
    return sorted(POLICIES)


def make_policy(
    name: str,
    space: object,
    objectives: dict[str, str] | None = None,
    seed: int = 0,
    *,
    constraints: tuple = (),
    options: dict | None = None,
) -> "Policy":
    """Build the policy called `name` for `space`.

    Args:
        name: One of `list_policies()`.
        space: What may be proposed; see `search_spaces.Space`.
        objectives: Name to "max" or "min"; default `{"glue": "max"}`. "parameters" and "flops"
            are computed exactly and never have to be told.
        seed: Non-negative; the same seed and the same history give the same proposals.
        constraints: Strings such as "parameters<15e6" or `surrogates.objectives.Constraint`.
        options: The policy's own settings by name; see its `Options`.

    Raises:
        UnknownName: No policy has this name.
        PolicyError: An objective, constraint, seed or option is not allowed.
    """
    from surrogates.policy import build

    objectives = {"glue": "max"} if objectives is None else objectives
    return build(POLICIES[name], name, space, objectives, seed, constraints, options or {})


def __getattr__(name: str) -> object:
    # Loaded when first used: numpy comes with them, which not every import of this package needs.
    if name not in ("Policy", "Prediction"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from surrogates import policy

    return getattr(policy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
