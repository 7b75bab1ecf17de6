"""Layers as a whole. Importing this package registers each module below."""

from nas.models.blocks.base import BLOCKS, Inside, make_block
from nas.models.blocks.bottleneck import Bottleneck, InvertedBottleneck
from nas.models.blocks.plain import EncoderLayer  # plain

__all__ = ["BLOCKS", "EncoderLayer", "Inside", "make_block"]
