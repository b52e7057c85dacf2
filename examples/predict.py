"""Continue a recording: two takes of one second after two seconds of plucked notes."""

from synthetic import SAMPLE_RATE, plucks, small_model

model = small_model()
continuation = model.predict(plucks(2.0, seed=99), SAMPLE_RATE, seconds=1.0, takes=2, seed=1)
print(model)
print(continuation)
for take in range(len(continuation.added)):
    sound = continuation.sound(take)  # (N,) int16: the recording, then its continuation
    print(f"take {take}: {len(sound) / continuation.sample_rate:.2f} s, seed {continuation.seeds[take]}")
