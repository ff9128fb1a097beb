# JVM options of the lookup server and of commands. Sourced by ./tarn; docs/serving.md says what those of
# the server are for.

# An archive of classes that can't be used costs time and nothing else.
quiet_archive_options=(-Xlog:disable -Xlog:all=warning:stderr '-Xlog:cds*=off:stderr')

# Prints the version of a java command, e.g. 17.0.12.
java_version() {
  local release version
  release=$(dirname "$(dirname "$(readlink -f "$(command -v "$1")")")")/release
  # A file, as asking java for its version takes a tenth of a second.
  version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$release" 2>/dev/null || true)
  [ -n "$version" ] || version=$("$1" -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')
  echo "$version"
}

# Prints options, one a line, for an archive of loaded classes, from which the next start is faster.
#   $1 the version of java
#   $2 the jar that is run
#   $3 a folder that keeps such archives
#   $4 what begins the archive's name
class_archive_options() {
  local version=$1 jar=$2 archives=$3 name=$4 major archive
  major=${version%%[!0-9]*}
  mkdir -p "$archives" 2>/dev/null || true
  if [ -w "$archives" ]; then
    archive=$archives/$name-$version-$(stat -c %Y-%s "$jar" 2>/dev/null || stat -f %m-%z "$jar").jsa
    if [ "${major:-17}" -ge 19 ]; then
      printf '%s\n' -XX:+AutoCreateSharedArchive "-XX:SharedArchiveFile=$archive"
    elif [ -f "$archive" ]; then
      echo "-XX:SharedArchiveFile=$archive"
    else
      # Written when this JVM ends.
      rm -f "$archives/$name-$version"-*.jsa
      echo "-XX:ArchiveClassesAtExit=$archive"
    fi
    printf '%s\n' "${quiet_archive_options[@]}"
  fi
}

# Prints the options of the lookup server, one a line.
#   $1 the java command
#   $2 the server's jar
#   $3 a folder that keeps archives of loaded classes
#   $4 the user's own options: a collector or a heap among them takes the place of ours
serving_jvm_options() {
  local java=$1 jar=$2 archives=$3 own=$4 version major
  version=$(java_version "$java")
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
  if ! [[ $own =~ -Xmx|-XX:MaxHeapSize|-XX:MaxRAMPercentage ]]; then
    # The other half is for what is no heap: answers on their way, the network, classes, threads.
    echo -XX:MaxRAMPercentage=50
  fi
  if [ "$major" -ge 24 ]; then
    # Netty and protobuf need this; without it each start warns on the terminal.
    echo --sun-misc-unsafe-memory-access=allow
  fi
  printf '%s\n' -XX:+PerfDisableSharedMem -XX:+ExitOnOutOfMemoryError
  # Netty would load the Flight Recorder at each start, for events that nobody reads.
  echo -Dio.netty.jfr.enabled=false

  class_archive_options "$version" "$jar" "$archives" serving
}

# Prints the options of a short command, one a line: what makes it start sooner pays, what makes it
# run faster does not.
#   $1 the java command
#   $2 the jar of the jobs
#   $3 a folder that keeps archives of loaded classes
short_jvm_options() {
  printf '%s\n' -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.disableJmx=true
  class_archive_options "$(java_version "$1")" "$2" "$3" short
}

# Prints the file that keeps Spark's classes for the commands that start it; etl/spark-classes writes it.
#   $1 the java command
#   $2 the class path of Spark; Java checks that its jars are still the same
#   $3 a folder that keeps such archives
spark_archive() {
  echo "$3/spark-$(java_version "$1")-$(cksum <<<"$2" | tr ' ' -).jsa"
}
