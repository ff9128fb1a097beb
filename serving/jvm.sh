# The JVM options of the lookup server. Sourced by ./tarn; docs/serving.md says what they are for.

# Prints the options, one a line.
#   $1 the java command
#   $2 the server's jar
#   $3 a folder that keeps archives of loaded classes, from which the next start is faster
#   $4 the user's own options: a collector among them takes the place of ours
serving_jvm_options() {
  local java=$1 jar=$2 archives=$3 own=$4 release version major archive
  release=$(dirname "$(dirname "$(readlink -f "$(command -v "$java")")")")/release
  # Read from a file, because asking java for its version takes a tenth of a second.
  version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$release" 2>/dev/null || true)
  [ -n "$version" ] || version=$("$java" -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')
  major=${version%%[!0-9]*}
  major=${major:-17}

  if ! [[ $own =~ -XX:\+Use[A-Za-z]+GC ]]; then
    if [ "$major" -ge 24 ]; then
      echo -XX:+UseZGC
    elif [ "$major" -ge 21 ]; then
      printf '%s\n' -XX:+UseZGC -XX:+ZGenerational
    else
      echo -XX:+UseG1GC
    fi
  fi
  if [ "$major" -ge 24 ]; then
    # Netty and protobuf need this; without it each start warns on the terminal.
    echo --sun-misc-unsafe-memory-access=allow
  fi
  printf '%s\n' -XX:+PerfDisableSharedMem -XX:+ExitOnOutOfMemoryError
  # Netty would load the Flight Recorder at each start, for events that nobody reads.
  echo -Dio.netty.jfr.enabled=false

  mkdir -p "$archives" 2>/dev/null || true
  if [ -w "$archives" ]; then
    archive=$archives/serving-$version-$(stat -c %Y-%s "$jar" 2>/dev/null || stat -f %m-%z "$jar").jsa
    if [ "$major" -ge 19 ]; then
      printf '%s\n' -XX:+AutoCreateSharedArchive "-XX:SharedArchiveFile=$archive"
    elif [ -f "$archive" ]; then
      echo "-XX:SharedArchiveFile=$archive"
    else
      # The archive is written when this server stops.
      rm -f "$archives"/serving-"$version"-*.jsa
      echo "-XX:ArchiveClassesAtExit=$archive"
    fi
    # An archive that can't be used costs time and nothing else.
    echo '-Xlog:disable'
    echo '-Xlog:all=warning:stderr'
    echo '-Xlog:cds*=off:stderr'
  fi
}
