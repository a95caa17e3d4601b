import { decodeBlosc } from './blosc';
import { readOnlyCodec } from './zarr-codec';

export default readOnlyCodec(decodeBlosc);
