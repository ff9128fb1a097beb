/**
 * The layers that a version's rows lie in, and how they are merged. The server, the read-back of a
 * push, verify and whoever removes rows from Redis ask this package; none has an idea of its own.
 * It may use the packages for keys and rows, and neither Spark nor a server.
 *
 * <pre>
 *   overlay   what a delta push changed; an empty entry says that the entity has no row
 *   base      all rows of a full push
 *
 *   live      cells that the live job writes beside the versions of a live view
 * </pre>
 *
 * <p>Layers are asked from the top, all at once; the first layer that has an entry for an entity
 * decides. The live layer is asked with them and decides nothing: its cells are merged with those
 * that the other layers give. Training reads what a version was made from, an Iceberg snapshot,
 * which has no layers.
 *
 * <p>A kind of layer that changes while it is read goes into the kinds of {@link
 * dev.tarn.layer.Layer}. Nobody may keep what such a layer has said for a later question: see
 * {@link dev.tarn.layer.Layer#isImmutable()}.
 */
package dev.tarn.layer;
