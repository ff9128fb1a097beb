package dev.tarn.etl.input;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;

/** Reads messages that each are one object of JSON. */
final class JsonMessages extends MessageReader {

  private final JsonRecords records;
  private final CharsetDecoder decoder;

  JsonMessages(MessageFormat format) {
    super(format);
    records = new JsonRecords(format.schema(), format.formats(), format.allowsComments());
    decoder =
        Charset.forName(format.encoding())
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
  }

  @Override
  GenericInternalRow readValue(byte[] value) throws IOException {
    CharBuffer text;
    try {
      text = decoder.decode(ByteBuffer.wrap(value));
    } catch (CharacterCodingException e) {
      throw new InputException(
          "is not %s; if its text has another encoding, say so: options { encoding = … }"
              .formatted(decoder.charset().name()),
          e);
    }
    int mark = text.hasRemaining() && text.get(0) == '\uFEFF' ? 1 : 0;
    try {
      return records.only(
          text.array(), text.arrayOffset() + text.position() + mark, text.remaining() - mark);
    } catch (JsonProcessingException e) {
      throw new InputException("is no JSON: " + e.getOriginalMessage(), e);
    }
  }
}
