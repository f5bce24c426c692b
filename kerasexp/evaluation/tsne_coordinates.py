"""Projection of features to two dimensions by t-SNE or PCA."""

from __future__ import annotations

import warnings

import numpy as np

# t-SNE takes about 1 s with these; more images or iterations make the plot no clearer.
IMAGES, ITERATIONS = 1000, 500
# With fewer distinct points t-SNE has no neighbourhoods to preserve.
FEWEST_FOR_TSNE, PERPLEXITY, COMPONENTS = 60, 20, 50


def embedding_positions(count: int, seed: int) -> np.ndarray:
    """Return the ascending positions, int64, of the images to embed: at most `IMAGES` of `count`, drawn at random."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:IMAGES])


def embed(features: np.ndarray, seed: int) -> tuple[np.ndarray, str] | None:
    """Project features, float [n, f], to two dimensions.

    t-SNE (van der Maaten and Hinton, JMLR 2008) on the first 50 principal components; PCA alone where few
    images are distinct.

    Returns:
        float [n, 2] and the method's name, or None for fewer than three images, or features that are not finite.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    count, width = features.shape
    if count < 3 or width < 2 or not np.isfinite(features).all():
        return None
    distinct = len(np.unique(features, axis=0))
    # t-SNE's iterations are so short that its threads wait for each other: 20 s and more beside another busy process.
    with warnings.catch_warnings(), threadpool_limits(1):
        # scikit-learn warns of equal features, which have no variance; the plot then shows one point.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        # scikit-learn's t-SNE crashes the process where all points are equal.
        if distinct < FEWEST_FOR_TSNE:
            return PCA(2, random_state=seed).fit_transform(features), "PCA"
        components = PCA(min(COMPONENTS, width, count), random_state=seed).fit_transform(features)
        layout = TSNE(2, perplexity=PERPLEXITY, init="pca", max_iter=ITERATIONS, random_state=seed)
        return layout.fit_transform(components), "t-SNE"
