# wavecast with its services: `docker compose up`, or `docker build -t wavecast .` and any command of it.
FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg make git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home wavecast
USER wavecast
WORKDIR /home/wavecast/app
COPY --chown=wavecast . .
RUN make setup
ENV PATH=/home/wavecast/app/.venv/bin:$PATH WAVECAST_DATA=/home/wavecast/data
VOLUME /home/wavecast/data
ENTRYPOINT ["wavecast"]
CMD ["--help"]
