# One image a program: nothing in it but the program, licences, and a folder for its data.
#
#   make images                                      builds them from programs that this machine's Go makes, without
#                                                    network if Go's caches have what they need
#   docker build --build-arg SERVICE=order-api .     compiles in a container; all programs at once, so that the images of
#                                                    all cost one compilation
FROM scratch AS base
COPY LICENSE NOTICE THIRD_PARTY_LICENSES /licences/
# What any container of it needs: an address that others reach, and a folder that the user may write to.
ENV HOLDFAST_LISTEN=:8080 HOLDFAST_ADMIN_LISTEN=:9464 HOLDFAST_DATA_DIR=/data
USER 65532:65532
ENTRYPOINT ["/service"]

# For scripts/images.sh, whose context has the programs. Builders without BuildKit build every stage above their target: so
# that they need no Go, this one comes first.
FROM base AS prebuilt
ARG SERVICE
COPY --chown=65532:65532 data /data
COPY ${SERVICE}.cdx.json /sbom/
COPY ${SERVICE} /service

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev COMMIT=unknown TAGS=grpcnotrace
RUN STRIP=1 scripts/build.sh /out "$TAGS" order-api inventory-projector analytics-projector query-api && \
    STRIP=1 scripts/build.sh /out "$TAGS,noembedded" holdfast && mkdir /out/data

FROM base
ARG SERVICE=order-api
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/${SERVICE} /service
