"""Mandarin corpora of OpenSLR."""

from pipeline.data.corpora.layouts.layout import SUFFIX, USUAL_SPLITS, Layout

AISHELL = Layout(
    "AISHELL",
    # data_aishell/wav/train/S0002/BAC009S0002W0122.wav
    (r"(?:wav/)?(?:(?P<split>train|dev|test)/)?(?P<speaker>S\d{4})/[A-Z]+\d+(?P=speaker)W\d+" + SUFFIX,),
    USUAL_SPLITS,
)
AISHELL_3 = Layout(
    "AISHELL-3",
    # train/wav/SSB0005/SSB00050001.wav; speakers stand in both parts
    (r"(?:(?P<split>train|test)/)?(?:wav/)?(?P<speaker>SSB\d{4})/(?P=speaker)\d{4}" + SUFFIX,),
    USUAL_SPLITS,
    on_request="speakers stand in several",
)
THCHS_30 = Layout(
    "THCHS-30",
    # data_thchs30/train/A11_0.wav, data/A11_0.wav
    (r"(?P<split>train|dev|test|data)/(?P<speaker>[A-D]\d{1,2})_\d{1,3}" + SUFFIX,),
    USUAL_SPLITS,
)
