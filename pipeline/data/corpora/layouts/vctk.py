"""VCTK, and the noisy speech made from it."""

from pipeline.data.corpora.layouts.layout import SUFFIX, USUAL_SPLITS, Layout

VCTK = Layout(
    "VCTK",
    # 0.92: wav48_silence_trimmed/p225/p225_001_mic1.flac; 0.80: wav48/p225/p225_001.wav
    (r"(?:wav\w*/)?(?P<speaker>[ps]\d+)/(?P=speaker)_\d+(?:_mic\d)?" + SUFFIX,),
)
VOICEBANK_DEMAND = Layout(
    "VoiceBank-DEMAND",
    # clean_trainset_28spk_wav/p226_001.wav, noisy_testset_wav/p232_001.wav
    (r"(?:clean|noisy)_(?P<split>train|test)set(?:_\d+spk)?_wav(?:_\d+k)?/(?P<speaker>p\d+)_\d+" + SUFFIX,),
    USUAL_SPLITS,
)
