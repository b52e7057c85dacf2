"""Acted emotions: the same sentences by each actor."""

from pipeline.data.corpora.layouts.layout import SUFFIX, USUAL_SPLITS, Layout

RAVDESS = Layout(
    "RAVDESS",
    # Actor_01/03-01-06-01-02-01-01.wav; the last number is the actor
    (r"(?:Actor_\d\d/)?\d\d(?:-\d\d){5}-(?P<speaker>\d\d)\.(?:wav|flac|mp4)",),
)
CREMA_D = Layout(
    "CREMA-D",
    # AudioWAV/1001_DFA_ANG_XX.wav
    (r"(?:Audio\w+/)?(?P<speaker>1\d{3})_[A-Z]{3}_(?:ANG|DIS|FEA|HAP|NEU|SAD)_[A-Z]{1,2}" + SUFFIX,),
)
EMO_DB = Layout(
    "EmoDB",
    # wav/03a01Fa.wav
    (r"(?:wav/)?(?P<speaker>\d{2})[abc]\d{2}[WLEAFTN][a-h]" + SUFFIX,),
)
ESD = Layout(
    "ESD",
    # 0001/Angry/train/0001_000351.wav, 0001/Angry/0001_000351.wav
    (
        r"(?P<speaker>\d{4})/(?:Angry|Happy|Neutral|Sad|Surprise)/(?:(?P<split>train|evaluation|test)/)?"
        r"(?P=speaker)_\d{6}" + SUFFIX,
    ),
    {**USUAL_SPLITS, "evaluation": "valid"},
    on_request="speakers stand in several",
)
