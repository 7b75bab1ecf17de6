"""Token mixers. Importing this package registers each module below; the list is the index."""

from nas.models.mixers.attention import SelfAttention  # sa_sdp, sa_wma
from nas.models.mixers.base import MIXERS, Mixer, make_mixer, registered_name
from nas.models.mixers.convolution import SpanConvolution  # c (with a kernel: c_5, c_9, ...)
from nas.models.mixers.fourier import Fourier  # l_dft, l_dct
from nas.models.mixers.grouped import GroupedAttention
from nas.models.mixers.hedgehog import LinearAttention
from nas.models.mixers.longconv import LongConvolution
from nas.models.mixers.mixed_attention import MixedAttention
from nas.models.mixers.moe_attention import ExpertAttention
from nas.models.mixers.monarch import MonarchMixer

__all__ = [
    "MIXERS",
    "Fourier",
    "Mixer",
    "SelfAttention",
    "SpanConvolution",
    "make_mixer",
    "registered_name",
]
