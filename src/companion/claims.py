"""What the book claims, by which rules, and the words of its verdicts: a leaf of the tree.

One table, `CLAIMS`. The claims page and its cards, counts and badges, claims.json, the verdicts on
the training runs, and the worlds that test them are made from it. It imports nothing of ours, so
whoever needs a word or a rule pays for no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# --- The words of a verdict -----------------------------------------------------------------------

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NO_DIFFERENCE, NOT_SUPPORTED = "no practical difference", "not supported"
UNDECIDED, DESCRIBED, MIXED = "undecided", "described", "mixed"
OUTCOMES = (SUPPORTED, CONTRADICTED, NOT_SUPPORTED, NO_DIFFERENCE, UNDECIDED, DESCRIBED)
#: Against a claim, the graver first.
ADVERSE = (CONTRADICTED, NOT_SUPPORTED, NO_DIFFERENCE)


@dataclass(frozen=True)
class Word:
    """How a verdict is shown and explained."""

    sign: str
    color: str  #: of its badge, with white text: 4.5 to 1 or more
    meaning: str  #: in a sentence, where the claim has none of its own
    counted: str  #: in the sentence that counts verdicts


WORDS = {
    SUPPORTED: Word("✓", "#1a6b3c", "Our rule is met.", "{} supported"),
    CONTRADICTED: Word(
        "✗", "#a3242b", "The whole interval lies on the other side of what is claimed.",
        "{} contradicted",
    ),
    NOT_SUPPORTED: Word("✗", "#a3242b", "Our rule is not met.", "{} not supported"),
    NO_DIFFERENCE: Word(
        "=", "#6b4b00", "The whole interval lies within the margin that we call none.",
        "{} without a practical difference",
    ),
    MIXED: Word(
        "±", "#6a3d9a", "The outcome is not the same everywhere, or not of both halves.",
        "{} with mixed outcomes",
    ),
    UNDECIDED: Word(
        "?", "#555555", "What was computed does not settle it.",
        "{} left undecided by what was computed",
    ),
    DESCRIBED: Word(
        "i", "#24578f", "There is no agreed measure, so there are numbers and no verdict.",
        "{} described without a verdict",
    ),
}  # fmt: skip
#: How far the training runs of an undecided claim are, and how that is counted.
STANDINGS = {
    "declared": "{} declared undecidable before the first run",
    "complete": "{} that complete runs leave open",
    "begun": "{} with runs under way",
    "none": "{} without runs yet",
}

#: Tables of the claims page that claims stand in, with a short name of each.
GROUPS = {
    "accuracy": "Accuracy and speed",
    "change": "Change in training",
    "geometry": "Geometry of patches and filters",
    "clusters": "Clusters and outputs",
    "beyond": "Beyond the first layer",
    "own": "Our own",
}

# --- What is compared -----------------------------------------------------------------------------

#: The arms that rules name, by the settings that make them.
ARMS: dict[str, dict] = {
    "Glorot": {"method": "glorot_uniform"},
    "components": {"method": "principal_components"},
    "k-means": {"method": "kmeans"},
    "random patches": {"method": "random_patches"},
    "random filters": {"method": "random_orthonormal"},
    "cosine basis": {"method": "cosine_basis"},
    "Glorot at norm 1": {"method": "glorot_uniform", "norm": 1.0},
    "frozen components": {"method": "principal_components", "frozen": True},
    "frozen random filters": {"method": "random_orthonormal", "frozen": True},
    "components in every layer": {"method": "principal_components", "layers": "all"},
    **{
        f"{name}, {share:.0%} of the labels": {"method": method, "label_share": share}
        for share in (0.01, 0.05, 0.1)
        for name, method in (("Glorot", "glorot_uniform"), ("components", "principal_components"))
    },
    **{
        f"{name}, 10x{width}": {"method": method, "widths": (width,) * 10}
        for width in (8, 32)
        for name, method in (("Glorot", "glorot_uniform"), ("components", "principal_components"))
    },
}

ACCURACY_MARGIN = 0.2  #: pp; an interval wholly within it is no practical difference
SPEED_MARGIN = 0.5  #: pp, of accuracies averaged over epochs
FROZEN_MARGIN = 0.5  #: pp that a layer may lose by being frozen and still count as equal


@dataclass(frozen=True)
class Difference:
    """A part: a weighted sum of final accuracies, in percentage points."""

    weights: Mapping[str, float]  #: by arm; +1 and -1 for a pair
    sign: int = 1  #: that is claimed
    #: How the interval is read: "direction"; "gain" (none, or a loss, is just not what is
    #: claimed); "equal" (within `margin`); "below" (no larger than `margin`); "zero" (a side of it)
    reads: str = "direction"
    margin: float = ACCURACY_MARGIN
    size: bool = False  #: whether the paper's value is held against it
    what: str = ""  #: in words; of a pair they follow from the arms


@dataclass(frozen=True)
class Ratio:
    """A part: how much further one arm's filters turn than another's."""

    one: str
    other: str
    bound: float
    sign: int = 1  #: +1 claims above the bound, -1 below


@dataclass(frozen=True)
class Order:
    """A part: the rank correlation of a component's distance with its index."""

    with_last: bool
    bound: float = 0.2


@dataclass(frozen=True)
class Speed:
    """A part: the accuracy of the first 50 epochs, components minus Glorot."""


Part = Difference | Ratio | Order | Speed


def _pair(one: str, other: str, sign: int = 1, **options: Any) -> Difference:
    return Difference({one: 1, other: -1}, sign, **options)


# --- Where it is decided --------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Which runs decide a claim on one data set, as registered (book/protocol.md)."""

    study: str  #: whose runs are compared
    dataset: str
    others: tuple[str, ...] = ()  #: studies whose runs are compared with them, as if of one
    spread: tuple[str, ...] = ()  #: studies whose runs tell of the spread alone
    seeds: range | None = None  #: only these of the registered ones
    spread_arms: tuple[str, ...] = ()  #: only these arms of the studies in `spread`
    spread_seeds: range | None = None  #: and only these seeds
    when: tuple[str, ...] = ()  #: studies that must be complete before it is looked at
    second: bool = False  #: a second look, where the first left the claim undecided

    @property
    def level(self) -> float:
        """Of the interval that a part needs to be supported."""
        return 0.975 if self.second else 0.95


A, B_FASHION = Place("anchor", "fashion_mnist"), Place("grid", "fashion_mnist")
D, B_CIFAR = Place("anchor-cifar10", "cifar10"), Place("grid", "cifar10")
FRESH = Place("confirm", "cifar10", spread=("grid",), when=("confirm",))
SIX = Place(
    "grid", "cifar10", ("six-seeds",), spread=("confirm",), when=("confirm", "six-seeds"),
    second=True,
)  # fmt: skip
FOUR_TO_NINE = Place(
    "grid", "cifar10", ("six-seeds", "confirm"), seeds=range(4, 10), when=("confirm", "six-seeds")
)
E1 = tuple(
    Place("every-layer", dataset, ("grid",), when=("every-layer", "few-labels"))
    for dataset in ("fashion_mnist", "cifar10")
)
E2 = Place("few-labels", "cifar10", when=("every-layer", "few-labels"))
WIDTH = Place(
    "width", "cifar10", spread=("grid",), spread_arms=("Glorot", "components", "cosine basis"),
    spread_seeds=range(4), when=("width", "unspoiled"),
)  # fmt: skip
UNSPOILED = Place("unspoiled", "fashion_mnist", when=("width", "unspoiled"))
#: Of claims that speak of both data sets: (Fashion-MNIST, CIFAR-10) at one length.
FULL, SHORT = ("anchor", "anchor-cifar10"), ("grid", "grid")


@dataclass(frozen=True)
class Decision:
    """What training runs decide of a claim: its parts, all of which must hold, and where."""

    parts: tuple[Part, ...]
    places: tuple[Place, ...]
    joined: tuple[tuple[str, str], ...] = ()  #: studies of the two data sets whose parts are joined
    half: str = ""  #: letter, of a claim with two

    @property
    def by_distance(self) -> bool:
        """Whether it is read by response distances too."""
        return all(isinstance(part, Ratio) for part in self.parts)


@dataclass(frozen=True)
class Claim:
    """One claim, and where the book decides it.

    Examples
    --------
    >>> CLAIMS[2].statement
    'Principal components end 0.78 pp above Glorot on Fashion-MNIST.'
    >>> CLAIMS[12].runs, CLAIMS[2].runs, CLAIMS[31].of_the_paper
    (False, True, False)
    """

    number: int
    statement: str  #: in our words
    place: str  #: in the paper; of our own, where it was seen first
    group: str  #: table of the claims page that it stands in, of GROUPS
    chapter: int  #: decides it; a cell there keeps claim_NUMBER_verdict and claim_NUMBER_evidence
    rule: str  #: by which it is decided, in a sentence
    figure: str | None = None  #: label of the figure that shows it best, in that chapter
    decisions: tuple[Decision, ...] = ()  #: of the runs; none where the build computes it
    declared: bool = False  #: whether it was declared undecidable before the first run
    also: tuple[int, ...] = ()  #: further chapters that show it
    untrained: Mapping | None = None  #: chapter and figure of what can be shown without training
    label: str = ""  #: of the paper's claims, in four words at most
    implied: bool = False  #: whether the paper says less than the statement
    algebra: bool = False  #: whether it is true by algebra, so that no computation could refute it
    beyond: str = ""  #: what we ask beyond the paper's own sense: a lesson, without a verdict
    choices: str = ""  #: label of the table of what other reasonable choices make of the verdict
    before: tuple[str, str] = ("", "")  #: what an older rule read, and why it was changed
    plain: Mapping[str, str] = field(default_factory=dict)  #: by verdict, what it means

    @property
    def runs(self) -> bool:
        """Whether training runs decide it."""
        return bool(self.decisions)

    @property
    def chapters(self) -> tuple[int, ...]:
        """All that show it, the one that decides it first."""
        return (self.chapter, *self.also)

    @property
    def of_the_paper(self) -> bool:
        """Whether it is the paper's; the others are the book's own, and counted apart."""
        return self.number <= 30

    def meaning(self, verdict: str) -> str:
        """One sentence on it with this verdict."""
        if self.algebra and verdict == SUPPORTED and verdict not in self.plain:
            return "True by algebra: what is computed shows it, and could not refute it."
        return self.plain.get(verdict) or WORDS[verdict].meaning


_DIRECTION = (
    "Direction: the 95 % interval of the paired difference lies wholly on the claimed side of "
    "zero, and not wholly within 0.2 pp of it."
)
_FIRST, _SECOND = (
    _pair("components", "Glorot", size=True), _pair("k-means", "Glorot", -1, size=True)
)  # fmt: skip
_SPEED = Decision((Speed(),), (A, D), (FULL,))

# fmt: off
CLAIMS: dict[int, Claim] = {claim.number: claim for claim in (
    Claim(
        1, "Principal components end 0.09 pp above Glorot on CIFAR-10.",
        label="Components lead, CIFAR-10",
        place="Table 1, Figure 6", group="accuracy", chapter=9, figure="fig-forest", declared=True,
        rule="Declared undecidable at this budget: 0.09 pp needs about 90 pairs. " + _DIRECTION,
        decisions=(
            Decision((_FIRST,), (B_CIFAR, D)),
        ),
    ),
    Claim(
        2, "Principal components end 0.78 pp above Glorot on Fashion-MNIST.",
        label="Components lead, Fashion-MNIST",
        place="Table 1, Figure 6", group="accuracy", chapter=9, figure="fig-forest",
        rule=("Looked at with 4, 6 and 8 pairs, at 97.8 %: the interval lies wholly above "
              "zero, and not wholly within 0.2 pp of it."),
        decisions=(
            Decision((_FIRST,), (A,)),
        ),
    ),
    Claim(
        3, "k-means ends below Glorot, by 0.34 and 0.30 pp.",
        label="k-means ends below Glorot",
        place="Table 1", group="accuracy", chapter=9, figure="fig-forest", declared=True,
        rule="Declared undecidable at this budget. " + _DIRECTION,
        decisions=(
            Decision((_SECOND,), (A, B_CIFAR, D)),
        ),
    ),
    Claim(
        4, ("Random patches end 0.85 pp below Glorot on CIFAR-10; the paper gives no figure for "
         "Fashion-MNIST."),
        label="Random patches end below",
        place="Table 1", group="accuracy", chapter=9, figure="fig-forest",
        rule=_DIRECTION,
        decisions=(
            Decision((_pair("random patches", "Glorot", -1, size=True),), (A, B_FASHION,
                B_CIFAR)),
        ),
    ),
    Claim(
        5, "The order components, Glorot, k-means is the same on both data sets.",
        label="One order, both sets",
        place="Table 1", group="accuracy", chapter=9, figure="fig-forest", declared=True,
        rule=("Declared undecidable at this budget. All comparisons of claims 1 to 3 have the "
              "claimed sign."),
        decisions=(
            Decision((_FIRST, _SECOND), (A, B_CIFAR, D)),
        ),
    ),
    Claim(
        6, "Components converge faster than Glorot.",
        label="Components converge faster",
        place="Figure 6", group="accuracy", chapter=9, figure="fig-speed",
        rule=("The accuracy averaged over the first 50 epochs, components minus Glorot: its 95"
              " % interval lies wholly above zero, and not wholly within 0.5 pp of it."),
        decisions=(
            _SPEED,
        ),
    ),
    Claim(
        7, "Glorot filters change most in training.",
        label="Glorot filters change most",
        place="Figures 7 and 8", group="change", chapter=10, figure="fig-turned", also=(11,),
        rule=("Ratios of mean cosine distances to components and to k-means, at the methods' "
              "own norms (7a) and at norm 1 (7b): both lower bounds above 1.25."),
        decisions=(
            Decision((Ratio("Glorot", "components", 1.25), Ratio("Glorot", "k-means", 1.25)),
                (A, D, B_FASHION, B_CIFAR), (FULL, SHORT), half="a",),
            Decision((Ratio("Glorot at norm 1", "components", 1.25), Ratio("Glorot at norm 1",
                "k-means", 1.25),), (B_FASHION, B_CIFAR, SIX), (SHORT,), half="b",),
        ),
    ),
    Claim(
        8, "Filters from components and k-means change little.",
        label="Learned filters change little",
        place="Figures 7 and 8", group="change", chapter=10, figure="fig-turned", also=(11,),
        rule=("Ratios of mean cosine distances of components and of k-means to random "
              "orthonormal filters: both upper bounds below 0.8."),
        decisions=(
            Decision((Ratio("components", "random filters", 0.8, -1), Ratio("k-means",
                "random filters", 0.8, -1),), (A, D, B_FASHION, B_CIFAR), (FULL, SHORT),),
        ),
    ),
    Claim(
        9, "A filter that changes little started close to a local minimum.",
        label="Little change, near minimum",
        place="Figures 7 and 8", group="change", chapter=11, figure="fig-frozen", also=(10,),
        rule=("Frozen minus trained, components minus random orthonormal filters, lies above "
              "zero; and frozen components lie within 0.5 pp of trained ones."),
        decisions=(
            Decision((Difference({"frozen components": 1, "components": -1,
                "frozen random filters": -1, "random filters": 1}, reads="gain",
                what="what freezing gains components over random filters",),
                _pair("frozen components", "components", reads="equal", margin=FROZEN_MARGIN,
                what="components, frozen − trained",),), (B_FASHION, B_CIFAR, SIX), (SHORT,),),
        ),
    ),
    Claim(
        10, "The last components change most: the distance grows with the index.",
        label="Last components change most",
        place="Figures 7 to 9", group="change", chapter=10, figure="fig-index",
        rule=("Rank correlation of distance and index, with the last filter and without it: "
              "both lower bounds above 0.2."),
        decisions=(
            Decision((Order(True), Order(False)), (A, D, B_FASHION, B_CIFAR), (FULL, SHORT)),
        ),
    ),
    Claim(
        11, "Claims 7 to 10 hold on both data sets.",
        label="Both data sets agree",
        place="Figures 7 to 9", group="change", chapter=10, figure="fig-turned",
        rule=("No verdict of its own: the difference of each effect between the data sets, "
              "with its interval."),
        plain={DESCRIBED: ("It has no rule of its own: what was seen on one data set"
                                     " is set beside the other.")},
    ),
    Claim(
        12, "With filter and patch of unit norm, the identical patch gives the largest response.",
        label="Identical patch responds most",
        place="section 3.1", group="geometry", chapter=1, figure="fig-lengths", algebra=True,
        rule=("True by algebra: the response is 1 less half the squared distance. Shown on real "
              "patches: the identical one wins for every filter, by more than rounding."),
        beyond="What becomes of it with patches as they are in images, which have no unit norm.",
    ),
    Claim(
        13, ("With raw patches the filter's signs decide what excites it most; its gradation does "
         "not matter."),
        label="Signs decide, not gradation",
        place="section 3.1, Figure 2", group="geometry", chapter=1, figure="fig-signs",
        rule=("By kind of filter (random patches, k-means, components): on a filter's best patch "
              "one of equal signs and other magnitudes reaches more than 0.95 of its own largest "
              "response, in the median over the filters."),
        beyond="Whether filters of equal signs also agree on the top 1 % of the patches.",
        choices="tab-choices-13",
        before=("Of patches as filters, responses correlate above 0.9 with those of the signs "
                "alone, and filters of equal signs share more than nine tenths of the top 1 %; "
                "it read \"not supported\".",
                "the paper speaks of the largest response and not of a ranking, and filters that "
                "are patches are those that are kindest to the claim."),
        plain={MIXED: ("Nearly so for smooth filters such as patches and centroids, and not for "
                       "most components."),
               SUPPORTED: "A filter's best patch nearly is the best for other magnitudes too.",
               NOT_SUPPORTED: "Filters of equal signs are excited most by different patches."},
    ),
    Claim(
        14, "To one patch, filters of equal signs and other magnitudes respond differently.",
        label="Equal signs, different responses",
        place="section 3.1", group="geometry", chapter=1, figure="fig-twins", algebra=True,
        rule=("True by algebra: only a patch at a right angle to their difference gets the same "
              "response from both. How much the responses vary is shown on real patches."),
        before=("The standard deviation of the response over filters of equal signs is above 3 % "
                "of its mean in at least 95 % of the trials; it read \"supported\".",
                "algebra had decided it already, and the 3 % were our own."),
    ),
    Claim(
        15, ("Among filters that are normalised and have mean zero, the one most similar to a "
         "patch responds most."),
        label="Most similar responds most",
        place="section 3.1", group="geometry", chapter=7, figure="fig-most-similar",
        algebra=True,
        rule=("True by algebra of filters of one length. Shown on the paper's three banks at "
              "length 1: the most similar filter responds most to more than 99 % of the patches."),
        beyond="Whether mean zero alone is enough, with the lengths that filters come with.",
        choices="tab-choices-15",
        before=("The same share for every method at its own norm, after the mean was taken out; "
                "it read \"not supported\".",
                "the paper says it of normalised filters, and that rule dropped the word."),
        plain={SUPPORTED: ("True of filters of one length, as the paper's are; mean zero alone "
                           "is not enough.")},
    ),
    Claim(
        16, "Components have mean zero, so the bias can be zero.",
        label="Components have mean zero",
        place="section 3.2", group="geometry", chapter=4, figure="fig-component-means",
        rule=("With the paper's steps, no 3×3 component but the one for brightness lies "
              "nearer to the constant vector than a cosine of 0.01."),
        choices="tab-choices-16",
        beyond="What the sums of weights do to the responses, and whether a bias would matter.",
        before=("It asked the same of all components, the last one among them, and read \"not "
                "supported\".",
                "the squared cosines of a full set of orthogonal filters with the constant vector "
                "add up to 1, so one of them is large whatever the data, and no data could have "
                "met the rule."),
        plain={NOT_SUPPORTED: ("The paper's feature standardisation destroys it: brightness leaks "
                                     "into several components. Without that step all but the last "
                                     "have mean zero exactly. Batch normalisation makes either "
                                     "harmless to the bias.")},
    ),
    Claim(
        17, "There are at most C·k·k component filters.",
        label="At most C·k·k components",
        place="section 3.2", group="geometry", chapter=3, figure="fig-component-spectrum",
        rule=("None is needed, for points with C·k·k values have no more directions than that; the "
              "chapter shows the count and the refusal of one more."),
        algebra=True,
        beyond=("Whether it limits filters: behind a ReLU the components' negatives are filters of "
                "their own."),
        plain={SUPPORTED: ("True by algebra: patches have no more directions than values, so a "
                                     "request for more components is refused.")},
    ),
    Claim(
        18, "One hundred images are enough.",
        label="100 images are enough",
        place="Figures 1 and 3 to 5", group="geometry", chapter=3, figure="fig-sample-size",
        rule=("3×3 components of 100 images against those of all images, for every number m of "
              "leading ones: the share of the best possible variance lies above 99 %, the largest "
              "angle between the two spaces below 10 degrees, and the mean matched cosine of "
              "single components above 0.95, each on average over draws with its 95 % interval."),
        implied=True,
        choices="tab-choices-18",
        beyond=("Enough for what: for the variance, for the spaces of the leading components, or "
                "for single ones; and which gaps in the spectrum decide it."),
        before=("It looked at the seven leading components alone, and at the median of the matched "
                "cosines, and read \"supported\".",
                "behind the seventh lies the widest gap of the spectrum, so that no other number "
                "looks as good, and k-means was judged by the mean (claim 23)."),
        plain={SUPPORTED: ("The components of 100 images are nearly those of the whole training "
                                     "set, in variance, as spaces and one by one."),
               MIXED: ("In variance the components of 100 images are as good as those of all; but "
                                     "where the spectrum has no gap, the spaces of the leading "
                                     "ones are not found again.")},
    ),
    Claim(
        19, "Patch space has modes, as opposed to an even spread, and centroids cover it.",
        label="Patch space has modes",
        place="section 3.3", group="clusters", chapter=6, figure="fig-density",
        rule=("k-means leaves more than 10 % less inertia than on points spread evenly over the "
              "sphere of the patches, and more than a tenth of that sphere has no patch near; and "
              "centroids capture more than half of the squared length of new patches. All three "
              "with 95 % intervals; mixed if one half holds alone."),
        beyond=("Whether valleys divide the centroids, more than a Gaussian of the same covariance "
                "would have: dense places alone are no groups."),
        choices="tab-choices-19",
        before=(
            "Patches are denser than a Gaussian of the same covariance, valleys divide most "
            "centroids from their neighbour, and every centroid has its share of new patches; "
            'it read "undecided".',
            "the paper's alternative is an even spread and not a Gaussian, and the measure of "
            "valleys found one beside the centroids of an even spread as well.",
        ),
        plain={SUPPORTED: ("Patches are far from evenly spread, and centroids capture most of "
                           "them. Whether the dense places are groups is another question."),
               MIXED: "Of its two halves, dense places and cover, one holds alone."},
    ),
    Claim(
        20, "Directions of most variance help the layers that follow.",
        label="Most variance helps later",
        place="section 3.2", group="clusters", chapter=9,
        rule=("Components end above the cosine basis and above random orthonormal filters: "
              "both 95 % intervals lie wholly above zero, and not wholly within 0.2 pp of it."),
        decisions=(
            Decision((_pair("components", "cosine basis"), _pair("components",
                "random filters")), (B_FASHION, B_CIFAR, SIX), (SHORT,),),
        ),
        untrained={"chapter": 4, "figure": "fig-readout"},
        plain={UNDECIDED: ("Without training, components and cosine waves that "
                                     "have seen no image lie close together (the first figure "
                                     "below). Whether training changes that is open.")},
    ),
    Claim(
        21, "Standardising patches evens out the ranges of the filters' outputs.",
        label="Standardising evens out outputs",
        place="section 3.2", group="clusters", chapter=4, figure="fig-imbalance",
        rule=("Standardising patches at least halves the ratio of the largest to the smallest "
              "standard deviation of the components' responses to raw patches, in the median over "
              "six samples, with brightness and without, with the feature step and without."),
        choices="tab-choices-21",
        before=("Its text asked for every sample, where the prediction and the computation took "
                "the median; both read \"not supported\".",
                "a rule has one text, and the prediction's is older than the result."),
        beyond="What does even the outputs out: batch normalisation, and for filters that are "
               "patches or their means, one length.",
        plain={NOT_SUPPORTED: ("Standardising evens the components' ranges out by less than the "
                                     "factor of two that we asked for. For filters that are "
                                     "patches or their means it does so.")},
    ),
    Claim(
        22, "k-medoids is more robust against outliers than k-means.",
        label="k-medoids resists outliers",
        place="section 3.3", group="clusters", chapter=6, figure="fig-outliers",
        rule=("With noise for a fifth of the patches, k-medoids lose less of the matched cosine "
              "than k-means: the lower bound of the difference lies above zero (not supported: its "
              "upper bound below 0.02). Mixed if another kind or share of outliers, number of "
              "clusters or data set decides the opposite."),
        beyond="Which outliers: in all directions, in a few, or in one place.",
        choices="tab-choices-22",
        before=(
            "The same bounds, for uniform noise on one data set and at one number of clusters; "
            'it read "supported".',
            "the paper does not say which outliers it means, and other kinds decide otherwise.",
        ),
        plain={SUPPORTED: ("Outliers among the patches disturb the filters of k-means "
                                     "more than those of k-medoids."),
               MIXED: ("It hangs on what the outliers are: k-medoids withstand some kinds better "
                       "than k-means, and others not.")},
    ),
    Claim(
        23, "k-means is stable and reproducible.",
        label="k-means is stable",
        place="section 1", group="clusters", chapter=5, figure="fig-stability",
        rule=("The same seed gives the same filters; and those of two seeds, from all patches and "
              "one start, agree with a mean matched cosine of at least 0.95, by its 95 % interval. "
              "Mixed if one half holds alone, or if other choices decide the opposite."),
        beyond=("How stable it is from seed to seed with restarts, fewer patches or filters, other "
                "images, and by the median."),
        choices="tab-choices-23",
        before=(
            "Filters of two seeds from 5,000 patches agree with a mean matched cosine of at least "
            '0.95; it read "not supported".',
            "the same seed gives the same filters, which is what reproducible says, and other "
            "numbers of patches, restarts and filters are as reasonable.",
        ),
        plain={MIXED: ("The same seed gives the same filters. Another seed gives most of them "
                       "again, and how many hangs on restarts and on their number."),
               NOT_SUPPORTED: ("From seed to seed its filters agree less closely than we"
                                     " asked for.")},
    ),
    Claim(
        24, "Initialising every layer from the data gains more.",
        label="Every layer gains more",
        place="sections 4.3 and 5", group="beyond", chapter=9,
        rule="Components in every layer minus components in the first. " + _DIRECTION,
        decisions=(
            Decision((_pair("components in every layer", "components"),), E1, (("every-layer",
                "every-layer"),),),
        ),
    ),
    Claim(
        25, "Fewer labels and less computation are needed.",
        label="Fewer labels, less computation",
        place="abstract", group="beyond", chapter=9,
        rule="Components minus Glorot, mean of 1, 5 and 10 % of the labels. " + _DIRECTION,
        decisions=(
            Decision((Difference({f"{name}, {share} of the labels": sign / 3 for share in ("1%",
                "5%", "10%") for name, sign in (("components", 1), ("Glorot", -1)) },
                what="components − Glorot, mean of 1, 5 and 10 % of the labels",),), (E2,),),
        ),
    ),
    Claim(
        26, "The filters are easier to interpret.",
        label="Filters easier to interpret",
        place="sections 1 and 4.4", group="beyond", chapter=10, figure="fig-waves",
        rule="No verdict: there is no agreed measure.",
        plain={DESCRIBED: ("There is no agreed measure. A count of cosine waves, the"
                                     " one we give, favours components by construction.")},
    ),
    Claim(
        27, ("Components and k-means end above random patches (by 0.94 and 0.51 pp on CIFAR-10), "
         "so they do more than sample patches."),
        label="More than sampled patches",
        place="section 3.4, Table 1", group="accuracy", chapter=9, figure="fig-forest",
        rule=("Both differences, components and k-means minus random patches: the 95 % "
              "intervals lie wholly above zero, and not wholly within 0.2 pp of it."),
        decisions=(
            Decision((_pair("components", "random patches", size=True), _pair("k-means",
                "random patches", size=True),), (A, B_FASHION, B_CIFAR, SIX),),
        ),
    ),
    Claim(
        28, "The paper words its own effect in several ways: significant, similar, slight.",
        label="Effect worded several ways",
        place="abstract, sections 1, 4.2 and 4.3", group="accuracy", chapter=9,
        rule="No verdict: the words are set beside the numbers.",
        plain={DESCRIBED: "The paper calls the same table significant, similar and slight."},
    ),
    Claim(
        29, ("k-means scales and is stable, where DBSCAN and hierarchical clustering may be "
         "sensitive."),
        label="k-means scales, others suffer",
        place="section 1", group="clusters", chapter=6, figure="fig-rivals",
        rule=("Three parts, mixed if some hold and others do not: k-means' distances grow more "
              "slowly than with the square of the patches; a tenth of its radius moves DBSCAN's "
              "number of clusters by more than a tenth, and filters of two linkages agree less "
              "than those of two kinds of start; with a tenth of the patches exchanged k-means' "
              "filters agree better than those of each linkage. A lead below 0.05 is none."),
        beyond=("Whether a bank of a given size can be had at all, and which linkage repeats as "
                "well as k-means."),
        choices="tab-choices-29",
        before=(
            "k-means' partitions repeat better than DBSCAN's and Ward's when a tenth of the "
            "patches is exchanged and when the main parameter moves by 10 %, and the distances "
            "computed grow more slowly than with the square of the patches; it read "
            '"not supported".',
            "two cuts of one tree are nested, so one comparison was lost before it started; "
            "DBSCAN's noise counted as a cluster that repeats; and filters were not compared.",
        ),
        plain={MIXED: ("k-means scales, and what DBSCAN and a hierarchy find hangs on their "
                       "parameters; but a hierarchy by Ward's rule repeats as well."),
               UNDECIDED: ("k-means scales, and what its rivals find hangs on their parameters; "
                           "whether it repeats better than a hierarchy by Ward's rule is open."),
               NOT_SUPPORTED: ("k-means does not scale or repeat better than its rivals, nor do "
                               "their parameters matter more.")},
    ),
    Claim(
        30, "Fewer iterations are needed: components save epochs at equal accuracy.",
        label="Fewer iterations are needed",
        place="sections 4.4 and 5", group="accuracy", chapter=9, figure="fig-speed",
        rule="As claim 6; the epochs saved stand beside it.",
        decisions=(
            _SPEED,
        ),
    ),
    Claim(
        31, "A tidy basis is enough: the cosine basis, which has seen no image, ends above Glorot.",
        place="stage B, by accident", group="own", chapter=9,
        rule=("Cosine basis minus Glorot on CIFAR-10 (10×16, 30 epochs), fresh seeds 6 to 9 "
              "alone. ") + _DIRECTION,
        decisions=(
            Decision((_pair("cosine basis", "Glorot"),), (FRESH,)),
        ),
    ),
    Claim(
        32, "Components end above Glorot on CIFAR-10.",
        place="stage B, by accident", group="own", chapter=9,
        rule="Components minus Glorot (10×16, 30 epochs), fresh seeds 6 to 9 alone. " + _DIRECTION,
        decisions=(
            Decision((_pair("components", "Glorot"),), (FRESH,)),
        ),
    ),
    Claim(
        33, "Components end no more than 0.2 pp above the cosine basis on CIFAR-10.",
        place="stage B, by accident", group="own", chapter=9,
        rule=("Components minus cosine basis (10×16, 30 epochs), seeds 4 to 9: the upper end "
              "of the 95 % interval lies below 0.2 pp."),
        decisions=(
            Decision((_pair("components", "cosine basis", reads="below"),), (FOUR_TO_NINE,)),
        ),
    ),
    Claim(
        34, "The lead of components over Glorot shrinks as the network grows wider.",
        place="stage B, by accident", group="own", chapter=9,
        rule=("The slope of the lead over log2 of the width (8, 16, 32) on CIFAR-10, 30 "
              "epochs: its 95 % interval lies wholly below zero."),
        decisions=(
            Decision((Difference({"components, 10x32": 0.5, "Glorot, 10x32": -0.5,
                "components, 10x8": -0.5, "Glorot, 10x8": 0.5}, -1, reads="zero",
                what="the lead of components, per doubling of the width",),), (WIDTH,),),
        ),
    ),
    Claim(
        35, "Where training does not overfit, components end above Glorot on Fashion-MNIST.",
        place="stage A, which learns its images by heart", group="own", chapter=9,
        rule="With mirror and shift, 60 epochs (10×16), seeds 0 to 5. " + _DIRECTION,
        decisions=(
            Decision((_pair("components", "Glorot", size=True),), (UNSPOILED,)),
        ),
    ),
)}
# fmt: on
