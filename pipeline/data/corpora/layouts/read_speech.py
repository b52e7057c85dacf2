"""Read speech recorded for speech synthesis and voice conversion, of several readers."""

from pipeline.data.corpora.layouts.layout import SUFFIX, USUAL_SPLITS, Layout

CMU_ARCTIC = Layout(
    "CMU ARCTIC",
    # cmu_us_bdl_arctic/wav/arctic_a0001.wav
    (r"cmu_[a-z]+_(?P<speaker>[a-z]+)_arctic/(?:(?:wav|orig)/)?arctic_[ab]\d{4}" + SUFFIX,),
)
L2_ARCTIC = Layout(
    "L2-ARCTIC",
    # ABA/wav/arctic_a0001.wav
    (r"(?P<speaker>[A-Z]{3,5})/wav/arctic_[ab]\d{4}" + SUFFIX,),
)
M_AILABS = Layout(
    "M-AILABS",
    # de_DE/by_book/female/ramona_deininger/das_letzte_maerchen/wavs/das_letzte_maerchen_01_f000001.wav
    (
        r"(?:[a-z]{2}_[A-Z]{2}/)?by_book/(?:female|male)/(?P<speaker>[^/]+)/[^/]+/wavs/[^/]+" + SUFFIX,
        r"(?:[a-z]{2}_[A-Z]{2}/)?by_book/mix/(?P<speaker>[^/]+)/wavs/[^/]+" + SUFFIX,
    ),
)
HI_FI_TTS = Layout(
    "Hi-Fi TTS",
    # audio/92_clean/10425/doyle_01.flac
    (r"audio/(?P<speaker>\d+)_(?:clean|other)/\d+/[^/]+" + SUFFIX,),
)
JVS = Layout(
    "JVS",
    # jvs001/parallel100/wav24kHz16bit/VOICEACTRESS100_001.wav
    (r"(?P<speaker>jvs\d{3})/(?:parallel100|nonpara30|whisper10|falset10)/wav\w*/[^/]+" + SUFFIX,),
)
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
