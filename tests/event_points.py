"""What TensorBoard's event files hold."""

import tensorflow as tf


def found(folder):
    """(run's folder, tag, step, numbers) of every summary in the folders of a folder."""
    points = []
    for path in sorted(folder.glob("*/events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                numbers = tf.make_ndarray(value.tensor)
                points.append((path.parent.name, value.tag, event.step, numbers.tolist()))
    return sorted(points)
