# One static image a service: docker build --build-arg SERVICE=order-api .
# All are built at once, so that the images of all services cost one compilation.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags grpcnotrace -ldflags='-s -w' -o /out/ \
      ./cmd/order-api ./cmd/inventory-projector ./cmd/analytics-projector ./cmd/query-api \
 && mkdir -p /out/data

FROM scratch
ARG SERVICE=order-api
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/${SERVICE} /service
COPY --from=build --chown=65532:65532 /out/data /data
COPY LICENSE NOTICE THIRD_PARTY_LICENSES /licences/
# What any container of it needs: an address that others reach, and a folder that the user may write to.
ENV HOLDFAST_LISTEN=:8080 HOLDFAST_DATA_DIR=/data
USER 65532:65532
ENTRYPOINT ["/service"]
