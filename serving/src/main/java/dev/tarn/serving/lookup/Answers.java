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

  private final CorruptRows corruptRows;

  Answers(CorruptRows corruptRows) {
    this.corruptRows = corruptRows;
  }

  /**
   * Makes the answer to one request: the GetOnlineFeaturesResponse of either service.
   *
   * @param growth of the answer, see {@link WireBuffer}; what it throws ends the answer
   */
  WireBuffer of(
      AnswerParts parts,
      List<AskedId> ids,
      FetchedRows rows,
      Details details,
      IntBinaryOperator growth) {
    Stamp common = details.stamps() ? rows.stamp() : Stamp.getDefaultInstance();
    List<ViewParts> views = parts.views();
    WireBuffer answer = new WireBuffer(parts.expectedBytes(ids.size()), growth);
    for (int i = 0; i < ids.size(); i++) {
      byte[] id = ids.get(i).utf8();
      answer.putByte(RESULT);
      int result = answer.beginMessage(LENGTH_BYTES);
      answer.putByte(KEY);
      answer.putVarint(id.length);
      answer.putBytes(id);
      answer.putByte(VALUE);
      if (rows.isKnown(i)) {
        int set = answer.beginMessage(LENGTH_BYTES);
        for (int v = 0; v < views.size(); v++) {
          putView(answer, parts, rows, v, i, id, details.eventTimestamps());
        }
        putStamp(answer, rows, common, i, details);
        answer.endMessage(set, LENGTH_BYTES);
      } else if (details.stamps()) {
        int set = answer.beginMessage(LENGTH_BYTES);
        answer.putBytes(parts.unknownSet());
        putStamp(answer, rows, common, i, details);
        answer.endMessage(set, LENGTH_BYTES);
      } else {
        answer.putBytes(parts.unknownEntity());
      }
      answer.endMessage(result, LENGTH_BYTES);
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
