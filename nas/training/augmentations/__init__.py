"""Augmentations of the text to pre-train on. Importing this package registers each module below."""

from nas.training.augmentations.base import AUGMENTATIONS, augmented
from nas.training.augmentations.variation_sets import variation_sets  # variation-sets

__all__ = ["AUGMENTATIONS", "augmented", "variation_sets"]
