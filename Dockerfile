# A small image: the static binary and the certificates of public authorities.
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -tags=urfave_cli_no_docs,urfave_cli_no_suggest -o /hark .

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /hark /hark
USER 65534:65534
ENTRYPOINT ["/hark"]
