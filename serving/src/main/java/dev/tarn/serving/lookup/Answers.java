package dev.tarn.serving.lookup;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.Stamp;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.row.Values;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.lookup.AnswerParts.ViewParts;
import java.time.Instant;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.IntBinaryOperator;

/**
 * Turns stored rows into an answer, with the value and the status of each feature. It writes the
 * bytes that are sent straight from the rows: building the messages as objects takes several times
 * as long as all the rest of a lookup.
 */
final class Answers {

  // The tags of GetOnlineFeaturesResponse.results and of an entry's key and value in it.
  private static final int RESULT = GetOnlineFeaturesResponse.RESULTS_FIELD_NUMBER << 3 | 2;
  private static final int KEY = 1 << 3 | 2;
  private static final int VALUE = 2 << 3 | 2;

  /** The usual bytes of a FeatureSet's length: ten features need two, and so do a hundred. */
  private static final int LENGTH_BYTES = 2;

  /** The most memory in which an estimate makes the answer of one entity. */
  private static final int MOST_OF_SAMPLE = 1 << 20;

  private final CorruptRows corruptRows;

  Answers(CorruptRows corruptRows) {
    this.corruptRows = corruptRows;
  }

  /**
   * Makes the answer to one request: the GetOnlineFeaturesResponse of either service.
   *
   * @param expected the bytes that it will probably have
   * @param growth of the answer, see {@link WireBuffer}; what it throws ends the answer
   */
  WireBuffer of(
      AnswerParts parts,
      List<AskedId> ids,
      FetchedRows rows,
      Details details,
      int expected,
      IntBinaryOperator growth) {
    Stamp common = common(rows, details);
    WireBuffer answer = new WireBuffer(expected, growth);
    for (int i = 0; i < ids.size(); i++) {
      putEntity(answer, parts, ids.get(i).utf8(), rows, common, i, details);
    }
    putVersions(answer, parts, rows);
    return answer;
  }

  private static void putStamp(
      WireBuffer answer, FetchedRows rows, Stamp common, int index, Details details) {
    if (details.stamps()) {
      answer.putBytes(
          FeatureSet.newBuilder().setStamp(rows.stamp(common, index)).build().toByteArray());
    }
  }

  private static void putVersions(WireBuffer answer, AnswerParts parts, FetchedRows rows) {
    if (!rows.hasLive() || !parts.withStatuses()) {
      answer.putBytes(parts.versions());
      return;
    }
    GetOnlineFeaturesResponse.Builder versions = GetOnlineFeaturesResponse.newBuilder();
    for (int v = 0; v < parts.views().size(); v++) {
      versions.addVersions(rows.version(v));
    }
    answer.putBytes(versions.build().toByteArray());
  }

  /**
   * Estimates the bytes of an answer for which there is no memory: it makes those of a few
   * entities, and takes the others for alike, byte for byte of their rows.
   *
   * @param rows the rows of {@link FetchedRows#isSample}, as far as they are there
   * @param rowBytes the bytes of all rows
   */
  long estimate(
      AnswerParts parts, List<AskedId> ids, FetchedRows rows, Details details, long rowBytes) {
    Stamp common = common(rows, details);
    long ofAnswers = 0;
    long ofRows = 0;
    WireBuffer sample = new WireBuffer(0, Answers::growSample);
    for (int i = 0; i < ids.size(); i++) {
      if (rows.isSample(i) && rows.isKnown(i)) {
        sample.cutBack(0);
        try {
          putEntity(sample, parts, ids.get(i).utf8(), rows, common, i, details);
          ofAnswers += sample.size();
        } catch (SampleTooLargeException e) {
          ofAnswers += e.needs;
        }
        ofRows += rows.bytesOf(i);
      }
    }
    return ofRows == 0
        ? parts.expectedBytes(ids.size())
        : (long) ((double) ofAnswers / ofRows * rowBytes);
  }

  private static int growSample(int has, int needs) {
    if (needs > MOST_OF_SAMPLE) {
      throw new SampleTooLargeException(needs);
    }
    return Math.max(2 * has, needs);
  }

  /** Ends the answer of one entity that has more bytes than an estimate takes. */
  private static final class SampleTooLargeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** The bytes of the answer up to the value for which there was no room, and of that. */
    private final int needs;

    SampleTooLargeException(int needs) {
      super(null, null, false, false);
      this.needs = needs;
    }
  }

  /** Returns what the stamps of all ids have in common. */
  private static Stamp common(FetchedRows rows, Details details) {
    return details.stamps() ? rows.stamp() : Stamp.getDefaultInstance();
  }

  private void putEntity(
      WireBuffer answer,
      AnswerParts parts,
      byte[] id,
      FetchedRows rows,
      Stamp common,
      int index,
      Details details) {
    answer.putByte(RESULT);
    int result = answer.beginMessage(LENGTH_BYTES);
    answer.putByte(KEY);
    answer.putVarint(id.length);
    answer.putBytes(id);
    answer.putByte(VALUE);
    if (rows.isKnown(index)) {
      int set = answer.beginMessage(LENGTH_BYTES);
      for (int v = 0; v < parts.views().size(); v++) {
        putView(answer, parts, rows, v, index, id, details.eventTimestamps());
      }
      putStamp(answer, rows, common, index, details);
      answer.endMessage(set, LENGTH_BYTES);
    } else if (details.stamps()) {
      int set = answer.beginMessage(LENGTH_BYTES);
      answer.putBytes(parts.unknownSet());
      putStamp(answer, rows, common, index, details);
      answer.endMessage(set, LENGTH_BYTES);
    } else {
      answer.putBytes(parts.unknownEntity());
    }
    answer.endMessage(result, LENGTH_BYTES);
  }

  private void putView(
      WireBuffer answer,
      AnswerParts parts,
      FetchedRows rows,
      int view,
      int index,
      byte[] id,
      boolean withEventTimestamps) {
    ViewParts viewParts = parts.views().get(view);
    if (rows.isLagging(view)) {
      answer.putBytes(viewParts.lagging());
      return;
    }
    if (!rows.hasRow(view, index)) {
      answer.putBytes(viewParts.notFound());
      return;
    }
    int begin = answer.size();
    try {
      putRow(answer, viewParts, rows, view, index, withEventTimestamps);
      Optional<BitSet> overflows = rows.overflows(view, index);
      if (overflows.isPresent()) {
        putOverflows(answer, parts, viewParts, begin, overflows.get());
      }
    } catch (CorruptRowException e) {
      answer.cutBack(begin);
      answer.putBytes(viewParts.corrupt());
      corruptRows.found(viewParts.view().name(), rows.layer(view, index), id, e);
    }
  }

  /** Writes the features of a view anew, which is slow and rare. */
  private static void putOverflows(
      WireBuffer answer, AnswerParts parts, ViewParts view, int begin, BitSet overflows) {
    byte[] written = Arrays.copyOfRange(answer.toBytes(), begin, answer.size());
    answer.cutBack(begin);
    try {
      answer.putBytes(
          parts.withOverflows(view, FeatureSet.parseFrom(written), overflows).toByteArray());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void putRow(
      WireBuffer answer,
      ViewParts parts,
      FetchedRows rows,
      int view,
      int index,
      boolean withEventTimestamps)
      throws CorruptRowException {
    RowReader reader = rows.row(view, index);
    long eventMicros = rows.layer(view, index).readEventTimestamp(reader);
    if (parts.view().isTooOld(eventMicros, rows.moment())) {
      answer.putBytes(parts.outsideMaxAge());
    } else {
      parts.values().writeRow(reader, answer);
    }
    if (withEventTimestamps) {
      Instant event = Values.instant(eventMicros);
      answer.putBytes(
          FeatureSet.newBuilder()
              .putEventTimestamps(
                  parts.view().name(),
                  Timestamp.newBuilder()
                      .setSeconds(event.getEpochSecond())
                      .setNanos(event.getNano())
                      .build())
              .build()
              .toByteArray());
    }
  }
}
