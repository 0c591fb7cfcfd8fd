# The job, and nothing else: docker run --rm -v "$PWD:/work" IMAGE run --pair acme.toml
#
# BASE has no default: a tag is given to another image overnight, a digest is not, and whoever builds has to have looked at the one they name.
#   docker build --build-arg BASE=python:3.12-slim@sha256:... .         docs/tasks/security.md says how the digest is found
ARG BASE
FROM ${BASE}
ARG BASE
RUN case "$BASE" in *@sha256:*) ;; *) echo "BASE has to name the image by its digest, as in python:3.12-slim@sha256:..." >&2; exit 1 ;; esac

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/ghl-reconcile

# The locked set first: it changes seldom, and is then a layer that stays.
COPY requirements.txt requirements-build.txt ./
RUN pip install --no-deps --require-hashes -r requirements-build.txt \
    && pip install --no-deps --require-hashes -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY reconcile reconcile
COPY connectors connectors
COPY flows flows
COPY ghl_reconcile ghl_reconcile
RUN pip install --no-deps --no-build-isolation .

# Pairs, their state and their reports live in a volume; the job needs no rights beyond it.
RUN useradd --create-home --uid 10001 job && mkdir /work && chown job /work
USER job
WORKDIR /work
ENV PREFECT_HOME=/home/job/.prefect DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
ENTRYPOINT ["ghl-reconcile"]
CMD ["--help"]
