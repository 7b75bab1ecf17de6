"""Values that somebody writes by mistake or on purpose where something else belongs."""

from random import Random

# Named as the folder and the module that every case finds beside it; see `guard`.
VICTIM, CANARY = "victim", "canary_module"

NUMBERS = (
    -1, 0, 1, 2, 1.5, 2.5, -0.0, 3, 64, 1000, 1e-320, 1e155, 1e308, -1.7e308, 2**31, 2**32,
    2**53 + 1,
    2**63 - 1, 2**63, 2**64, -(2**63), 10**18, 10**30, 10**400, float("inf"), float("-inf"),
    float("nan"),
)  # fmt: skip

TEXTS = (
    "", " ", "x", "none", "nan", "inf", "-inf", "1e999", "1_000", "0x10", "١٢", "²", "1.5.2",
    "true",
    "glue", "parameters", "trial", "hash", "status", "é", "日本", "\u202egnp", "a\nb", "a\tb",
    "\x00",     "a\x00b", "\x1b]0;title\x07\x1b[2J", "[/usr/lib]", "[bold red]", "{0} %s %n",
    "'; DROP TABLE trials",
    "../../" + VICTIM, "../" + VICTIM, "/etc/passwd", "/dev/null", "/proc/self/mem", "~", "$HOME",
    ".", "..",
    "/", "x/y/z", CANARY + ":Space", CANARY + ":measure", CANARY, "os:system", "nas.cli.main:main",
    "-x", "--help", "a" * 300, "x" * 100_000, "9" * 5000, "(" * 3000, "s3://bucket/x", "memory://x",
    "http://127.0.0.1:1/x", "file:///etc", "*", "**", "a,b", ",", ":", ";", "=", "<", "<=", "1<2",
    "parameters<", "glue:max", "glue:max,glue:max", "30m", "-5s", "1e400s", "nans",
)  # fmt: skip

# What has a meaning of its own in YAML; put where a value stands.
YAML = (
    "2020-01-01", "2020-01-01 12:00:00", "12:30:45", "0o17", "0b1", "1_000", ".inf", "-.inf",
    ".nan",
    "1e999", "~", "yes", "!!binary aGVsbG8=", "!!set {a, b}", "!!omap [a: 1]", "!!str 1", "!!int x",
    "!!float x", "!!python/object/apply:os.system ['touch victim/x']", "!!python/name:os.system",
    "&a [*a]", "&a {b: *a}", "*nowhere", "{[1]: 2}", "{1: 2}", "{null: 1}", "{true: 1}", "? [a]",
    "[" * 2000, "[" * 100 + "]" * 100, "9" * 5000, "'\\ud800'", '"\\ud800"', '"\\x00"',
    "|\n  a\n  b",
    "<<: {a: 1}", "!x y", "%", "@", "`", "- 1", "1: 2: 3", "\t", "{a: 1, a: 2}",
)  # fmt: skip


def number(rng: Random) -> int | float:
    """Return an odd number."""
    return rng.choice(NUMBERS)


def text(rng: Random) -> str:
    """Return an odd text."""
    return rng.choice(TEXTS)


def value(rng: Random) -> object:
    """Return an odd value of any type that JSON has."""
    kinds = (
        lambda: number(rng),
        lambda: text(rng),
        lambda: rng.choice((None, True, False)),
        lambda: [value(rng) for _ in range(rng.randrange(3))],
        lambda: {str(text(rng)): value(rng) for _ in range(rng.randrange(3))},
    )
    return rng.choices(kinds, (5, 5, 2, 1, 1))[0]()


def near(rng: Random, old: object) -> object:
    """Return a value like the old one but a little off, as a slip of the hand makes it."""
    if isinstance(old, bool):
        return rng.choice((not old, int(old), str(old)))
    if isinstance(old, int | float):
        return rng.choice((-old, old + 1, old - 1, old * 10, old / 2, old * 1.5, str(old), [old]))
    if isinstance(old, str) and old:
        at = rng.randrange(len(old))
        return rng.choice((
            old[:at] + old[at + 1 :], old[:at] + old[at] + old[at:], old.upper(), old + " ", [old],
            old[::-1], old + "\n", old * 2,
        ))  # fmt: skip
    return value(rng)
