"""Corpora of one reader: recordings are split one by one."""

from pipeline.data.corpora.layouts.layout import SUFFIX, Layout

LJSPEECH = Layout("LJSpeech", (r"(?:wavs/)?LJ\d{3}-\d{4}" + SUFFIX,), one_reader=True)
KSS = Layout(
    "KSS",
    # 1/1_0000.wav: four books, beside transcript.v.1.4.txt
    (r"(?P<part>[1-4])/(?P=part)_\d{4}" + SUFFIX,),
    one_reader=True,
    marker="transcript*.txt",
)
JSUT = Layout(
    "JSUT",
    # basic5000/wav/BASIC5000_0001.wav
    (
        r"(?:basic5000|countersuffix26|loanword128|onomatopee300|precedent130|repeat500|travel1000|utparaphrase512"
        r"|voiceactress100)/wav/[A-Z0-9_-]+" + SUFFIX,
    ),
    one_reader=True,
)
