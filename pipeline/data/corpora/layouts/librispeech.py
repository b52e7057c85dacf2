"""LibriSpeech and what is cut from the same audio books: LibriTTS, Multilingual LibriSpeech."""

from pipeline.data.corpora.layouts.layout import SUFFIX, USUAL_SPLITS, Layout

SUBSET = r"(?:(?P<split>train|dev|test)[-_](?:clean|other)(?:-\d+)?/)?"

LIBRISPEECH = Layout(
    "LibriSpeech",
    # train-clean-100/19/198/19-198-0000.flac
    (SUBSET + r"(?P<speaker>\d+)/(?:\d+/)?(?P=speaker)-\d+-\d+" + SUFFIX,),
    USUAL_SPLITS,
)
LIBRITTS = Layout(
    "LibriTTS",
    # dev-clean/84/121123/84_121123_000007_000001.wav
    (SUBSET + r"(?P<speaker>\d+)/(?P<chapter>\d+)/(?P=speaker)_(?P=chapter)_\d+_\d+" + SUFFIX,),
    USUAL_SPLITS,
)
MULTILINGUAL_LIBRISPEECH = Layout(
    "Multilingual LibriSpeech",
    # mls_german/train/audio/4536/5147/4536_5147_000000.flac
    (
        r"(?:(?P<split>train|dev|test)/)?(?:audio/)?(?P<speaker>\d+)/(?P<book>\d+)/"
        r"(?P=speaker)_(?P=book)_\d+" + SUFFIX,
    ),
    USUAL_SPLITS,
)
