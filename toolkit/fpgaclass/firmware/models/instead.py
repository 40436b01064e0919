"""What to use in place of a layer that cannot be built; plain Keras models and HGQ2's have other choices."""

from __future__ import annotations

_WINDOW = "a dense or convolutional network over a fixed window"
_NUMPY = "NumPy for that, before the events go in, and leave the layer out"
_PADDING = "padding='same' in the convolution"
_ORDER = "weights or inputs in the order that is wanted"
_NOTHING = "nothing in its place: it changes nothing at inference"
_BOTH = {
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM2D", "QGRU", "QSimpleRNN"), _WINDOW
    ),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _PADDING),
    **dict.fromkeys(("Cropping1D", "Cropping2D", "CenterCrop", "Resizing"), _NUMPY),
    **dict.fromkeys(
        ("Discretization", "CategoryEncoding", "Hashing", "StringLookup", "IntegerLookup"), _NUMPY
    ),
    **dict.fromkeys(("Masking", "TextVectorization"), _NUMPY),
    **dict.fromkeys(
        ("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"), _NOTHING
    ),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), "a dense layer to the larger size"),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose"), "a dense layer to the larger size"),
    **dict.fromkeys(("Conv3D", "MaxPooling3D", "AveragePooling3D"), "two dimensions, the third as channels"),
    "Permute": _ORDER,
    "Lambda": "a layer of Keras for what it does, or NumPy before the events go in",
}

IN_HGQ2 = {
    **_BOTH,
    "LayerNormalization": "hgq.layers.QBatchNormalization",
    "Embedding": "a one-hot input and hgq.layers.QDense",
    "Softmax": "hgq.layers.QSoftmax, or the logits: their argmax is that of softmax",
    "PReLU": "keras.layers.LeakyReLU with one slope for all",
    "ELU": "hgq.layers.QUnaryFunctionLUT('elu')",
    "Subtract": "hgq.layers.QSubtract",
    "Average": "hgq.layers.QAveragePow2",
    "QSum": "GlobalAveragePooling1D over a power of two of values, or hgq.layers.QDense",
    "QMeanPow2": "GlobalAveragePooling1D",
    "DepthwiseConv2D": "hgq.layers.QConv2D",
    "SeparableConv2D": "two hgq.layers.QConv2D",
    "QAffinedUnaryFunctionLUT": "hgq.layers.QUnaryFunctionLUT",
    "Normalization": f"hgq.layers.QBatchNormalization; or {_NUMPY}",
    "Rescaling": f"hgq.layers.QBatchNormalization; or {_NUMPY}",
    "Identity": _NOTHING,
    **dict.fromkeys(
        (
            "GaussianNoise",
            "GaussianDropout",
            "AlphaDropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "ActivityRegularization",
        ),
        "keras.layers.Dropout, or nothing",
    ),
}

IN_KERAS = {
    **_BOTH,
    "LayerNormalization": "BatchNormalization",
    "GroupNormalization": "BatchNormalization",
    "UnitNormalization": "BatchNormalization",
    "Embedding": "a one-hot input and Dense",
    "PReLU": "LeakyReLU with one slope for all",
    "ELU": "Activation('elu')",
    "DepthwiseConv1D": "Conv1D",
    "DepthwiseConv2D": "Conv2D",
    "SeparableConv1D": "two Conv1D",
    "SeparableConv2D": "two Conv2D",
    "EinsumDense": "Dense, which acts on the last axis; or hgq.layers.QEinsumDense",
    "TimeDistributed": "Dense itself, which acts on the last axis; or Conv1D with kernel_size=1",
    "Dot": "Multiply, and Dense after it",
    "RepeatVector": "Concatenate of the tensor with itself, and Reshape",
    "MultiHeadAttention": _WINDOW,
    "Attention": _WINDOW,
}
