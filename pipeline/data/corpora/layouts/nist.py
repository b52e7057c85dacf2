"""Corpora of the Linguistic Data Consortium and others in NIST SPHERE files."""

from pipeline.data.corpora.layouts.layout import USUAL_SPLITS, Layout

TIMIT = Layout(
    "TIMIT",
    # TRAIN/DR1/FCJF0/SA1.WAV: the same names for every speaker
    (
        r"(?P<split>train|test)/dr[1-8]/(?P<speaker>[fm][a-z]{2,3}\d)/s[aix]\d+\.(?:wav|flac|nist|sph)(?:\.wav)?",
    ),
    USUAL_SPLITS,
    ignore_case=True,
)
WSJ = Layout(
    "WSJ",
    # 11-1.1/wsj0/si_tr_s/011/011c0201.wv1; si_dt_05 develops, si_et_05 evaluates
    (
        r"(?:\d+-\d+\.\d+/)?(?:wsj[01]/)?s[id]_(?P<split>tr|dt|et)_\w+/(?P<speaker>\w{3})/(?:\w+/)?"
        r"(?P=speaker)[a-z0-9]{5}\.(?:wv[12]|wav|flac|sph)",
    ),
    {"tr": "train", "dt": "valid", "et": "test"},
    ignore_case=True,
)
TEDLIUM = Layout(
    "TED-LIUM",
    # train/sph/AaronHuey_2010X.sph, test/sph/...
    (r"(?:(?P<split>train|dev|test)/)?(?:sph|wav)/(?P<speaker>[^/_]+)_\d{4}[A-Z]?\.(?:sph|wav|flac)",),
    USUAL_SPLITS,
)
